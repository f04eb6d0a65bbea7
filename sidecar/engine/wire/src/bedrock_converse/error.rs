//! Errors of ours in Bedrock's words.

use serde_json::json;

use crate::eventstream;

use crate::Fault;

/// A JSON body. AWS's SDKs find the type in `__type` where no `x-amzn-errortype` header tells it.
#[must_use]
pub fn plain(fault: &Fault) -> Vec<u8> {
    json!({"__type": kind(fault), "message": fault.message}).to_string().into_bytes()
}

/// An exception in the midst of a stream: a framed message. Only five types may stand there.
#[must_use]
pub fn event(fault: &Fault) -> Vec<u8> {
    let kind = match fault.status {
        429 => "throttlingException",
        424 => "modelStreamErrorException",
        503 | 529 => "serviceUnavailableException",
        400..=499 => "validationException",
        _ => "internalServerException",
    };
    let payload = json!({"message": fault.message}).to_string();
    let mut out = Vec::with_capacity(payload.len() + 128);
    eventstream::exception(kind, payload.as_bytes(), &mut out);
    out
}

/// The exception's type, for `x-amzn-errortype` as well.
#[must_use]
pub fn kind(fault: &Fault) -> &'static str {
    match fault.status {
        402 => "ServiceQuotaExceededException",
        _ if fault.kind == "insufficient_quota" => "ServiceQuotaExceededException",
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        400..=499 => "ValidationException",
        _ => "InternalServerException",
    }
}
