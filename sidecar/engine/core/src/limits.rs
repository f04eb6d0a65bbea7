//! Every bound of the data plane (I6), each with its reason. Nothing else defines one.

/// Request bodies; above: 413. 64 MiB holds a dozen images as base64.
pub const REQUEST_BODY_BYTES: usize = 64 << 20;
/// Plain answers are buffered up to here before headers go down, so that a truncated one stays retriable.
pub const PLAIN_ANSWER_BYTES: usize = 8 << 20;
/// A stream holds back at most this much before its first content.
pub const STREAM_HOLD_BYTES: usize = 64 << 10;
