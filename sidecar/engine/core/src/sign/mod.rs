//! Proof of who asks, for providers that take no plain key: signatures and signed assertions, made from
//! credentials and a time, without I/O.

pub mod google;
pub mod sigv4;
