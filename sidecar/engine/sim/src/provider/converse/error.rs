//! Bedrock's errors: a message in the body, the kind in a header.

use serde_json::json;

use super::super::failure::{Class, Refused};
use super::super::shape::{Fault, Step, What};

const VALIDATION: &str = "ValidationException";
/// What follows the kind in the header.
const ORIGIN: &str = ":http://internal.amazon.com/coral/com.amazon.bedrock/";

/// The caller's mistake (400).
pub(super) fn invalid(message: &str) -> Refused {
    refused(400, VALIDATION, message)
}

/// An error of this status, kind and message.
pub(super) fn refused(status: u16, kind: &str, message: &str) -> Refused {
    Refused::new(status, json!({"message": message}))
        .with("x-amzn-errortype", &format!("{kind}{ORIGIN}"))
}

/// A fault in the request's form, as Smithy words it.
pub(super) fn malformed(fault: &Fault) -> Refused {
    let place = path(&fault.path);
    let found = match &*fault.found {
        serde_json::Value::Null => "null".to_owned(),
        value => format!("'{}'", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
    };
    let constraint = match &fault.what {
        What::Unknown => {
            return invalid(&format!(
                "Malformed input request: #/{place}: extraneous key is not permitted, please \
                 reformat your input and try again."
            ));
        }
        What::Kind(wanted) => {
            let message = format!("Unexpected value at '{place}': expected {wanted}");
            return refused(400, "SerializationException", &message);
        }
        What::Missing => "Member must not be null".to_owned(),
        What::Blank => "Member must have length greater than or equal to 1".to_owned(),
        What::Below(least) => format!("Member must have value greater than or equal to {least}"),
        What::Above(most) => format!("Member must have value less than or equal to {most}"),
        What::Short(least) => format!("Member must have length greater than or equal to {least}"),
        What::Long(most) => format!("Member must have length less than or equal to {most}"),
        What::Word(words) => {
            format!("Member must satisfy enum value set: [{}]", words.join(", "))
        }
        What::Union(words) => {
            format!("Member must hold exactly one of: [{}]", words.join(", "))
        }
    };
    invalid(&format!(
        "1 validation error detected: Value {found} at '{place}' failed to satisfy constraint: \
         {constraint}"
    ))
}

/// Status, kind and words of each class.
pub(super) fn failure(class: Class) -> Refused {
    let (status, kind, message) = row(class);
    let mut made = refused(status, kind, message);
    if class == Class::ModelError {
        made.body["originalStatusCode"] = 500.into();
    }
    made
}

fn row(class: Class) -> (u16, &'static str, &'static str) {
    match class {
        Class::ServerError => (
            500,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        Class::Timeout => (
            408,
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        ),
        Class::ModelError => (
            424,
            "ModelErrorException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        Class::NotReady => (
            429,
            "ModelNotReadyException",
            "The model is not ready to serve inference requests. Try your request again.",
        ),
        Class::Overloaded => {
            (503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
        }
        Class::RateLimit => {
            (429, "ThrottlingException", "Too many requests, please wait before trying again.")
        }
        Class::DailyQuota => (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
        ),
        Class::Quota => (
            400,
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        class => mistake(class),
    }
}

/// What the caller did wrong, or may not do.
fn mistake(class: Class) -> (u16, &'static str, &'static str) {
    match class {
        Class::Billing => (
            403,
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT.",
        ),
        Class::Auth => (
            403,
            "AccessDeniedException",
            "Authentication failed: Please make sure your API Key is valid.",
        ),
        Class::Permission => (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        Class::ModelGone => (
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
        ),
        Class::UnsupportedParameter => {
            (400, VALIDATION, "This model doesn't support the stopSequences field.")
        }
        Class::ContextTooLong => (400, VALIDATION, "Input is too long for requested model."),
        Class::TooLarge => (413, "RequestEntityTooLargeException", "The request is too large."),
        Class::ContentFilter => (400, VALIDATION, "Output blocked by content filtering policy"),
        Class::Conflict => {
            (409, "ConflictException", "Error occurred because of a conflict while updating.")
        }
        Class::UnknownState => {
            (404, "ResourceNotFoundException", "The specified resource ARN was not found.")
        }
        _ => (400, VALIDATION, "The provided request is not valid"),
    }
}

/// The kind of exception that ends a stream with this failure.
pub(super) fn exception(refused: &Refused) -> &'static str {
    match refused.status.as_u16() {
        429 => "throttlingException",
        503 => "serviceUnavailableException",
        408 | 424 => "modelStreamErrorException",
        500..=599 => "internalServerException",
        _ => "validationException",
    }
}

fn path(steps: &[Step]) -> String {
    let words = steps.iter().map(|step| match step {
        Step::Name(name) => name.clone(),
        Step::Index(index) => format!("{}.member", index + 1),
    });
    words.collect::<Vec<_>>().join(".")
}
