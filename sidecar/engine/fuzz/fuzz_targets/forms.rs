//! `cargo fuzz run forms`, or `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::targets::forms(data));
