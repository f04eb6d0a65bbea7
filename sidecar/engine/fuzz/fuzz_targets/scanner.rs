//! `cargo fuzz run scanner`, or `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::targets::scanner(data));
