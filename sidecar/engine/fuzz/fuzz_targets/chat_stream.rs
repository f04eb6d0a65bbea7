//! `cargo fuzz run chat_stream`, or `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::targets::chat_stream(data));
