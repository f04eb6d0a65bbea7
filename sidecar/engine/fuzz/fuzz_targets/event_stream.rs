//! `cargo fuzz run event_stream`, or `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::targets::event_stream(data));
