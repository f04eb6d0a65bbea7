//! What libFuzzer runs; see `targets`.

pub mod targets;
