//! `cargo fuzz run answers`, or `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::targets::answers(data));
