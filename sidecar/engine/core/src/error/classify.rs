//! An upstream's error answer -> class, by one table that is read from the top: the first row that matches wins.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::said::Said;
use super::{Class, retry_after, within_cap};
use crate::limits;

/// What an upstream's error answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// The row of the taxonomy.
    pub class: Class,
    /// The wait that the provider asked for, capped.
    pub retry_after: Option<Duration>,
    /// The provider's `code`, else its `type`, at most 64 bytes of `[A-Za-z0-9_.-]`: fit for a record.
    pub code: Option<String>,
    /// A `BadRequest` whose cause is a parameter that this model lacks: a candidate that has it may be tried.
    pub capability_gap: bool,
}

/// What a row looks at besides the status.
enum Signal {
    /// The status alone.
    Status,
    /// `code` or `type` is one of these (any case).
    Code(&'static [&'static str]),
    /// The message holds one of these (any case).
    Message(&'static [&'static str]),
}

/// One row; no statuses means any status.
struct Row(&'static [u16], Signal, Class);

const ROWS: &[Row] = &[
    // OpenRouter holds back what running calls may cost: that is free again when they end.
    Row(&[402], Signal::Message(&["in-flight", "in flight"]), Class::RateLimit),
    Row(&[402], Signal::Status, Class::Quota),
    Row(
        &[],
        Signal::Code(&[
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "billing_disabled",
        ]),
        Class::Quota,
    ),
    Row(
        &[],
        Signal::Message(&[
            "credit balance is too low",
            "invalid_payment_instrument",
            "used all available credits",
            "monthly spending limit",
        ]),
        Class::Quota,
    ),
    // Gemini: a quota of nothing, and one for the whole day.
    Row(&[429], Signal::Message(&["limit: 0,", "limit: 0\n", "perday"]), Class::Quota),
    Row(
        &[],
        Signal::Code(&[
            "context_length_exceeded",
            "model_context_window_exceeded",
            "exceed_context_size_error",
        ]),
        Class::ContextTooLong,
    ),
    Row(&[413], Signal::Status, Class::ContextTooLong),
    Row(
        &[0, 400, 422, 500],
        Signal::Message(&[
            "prompt is too long",
            "maximum context length",
            "input is too long",
            "exceeds the maximum number of tokens allowed",
            "exceeds the available context size",
            "cannot be greater than max_model_len",
            "longer than the model's context length",
            "request payload size exceeds the limit",
        ]),
        Class::ContextTooLong,
    ),
    Row(
        &[],
        Signal::Code(&[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "bio_policy",
            "invalid_prompt",
        ]),
        Class::ContentFilter,
    ),
    Row(&[400], Signal::Message(&["blocked by content filtering policy"]), Class::ContentFilter),
    Row(
        &[],
        Signal::Code(&["previous_response_not_found", "file_not_found", "batch_not_found"]),
        Class::StatefulMiss,
    ),
    Row(
        &[400, 403, 404],
        Signal::Message(&[
            "previous response with id",
            "no such file",
            "no such batch",
            "file not found",
            "cachedcontent not found",
        ]),
        Class::StatefulMiss,
    ),
    Row(
        &[],
        Signal::Code(&["model_not_found", "model_decommissioned", "model_retired"]),
        Class::ModelGone,
    ),
    Row(
        &[],
        Signal::Code(&[
            "organization_on_hold",
            "invalid_api_key",
            "authentication_error",
            "permission_error",
            "accessdeniedexception",
            "api_key_invalid",
            "unauthenticated",
            "unrecognizedclientexception",
            "expiredtokenexception",
        ]),
        Class::Auth,
    ),
    Row(&[400], Signal::Message(&["incorrect api key", "api key not valid"]), Class::Auth),
    Row(
        &[],
        Signal::Code(&[
            "slow_down",
            "server_is_overloaded",
            "overloaded_error",
            "engine_overloaded",
            "modelnotreadyexception",
            "serviceunavailableexception",
        ]),
        Class::Overload,
    ),
    Row(&[498, 503, 529], Signal::Status, Class::Overload),
    Row(
        &[],
        Signal::Code(&[
            "rate_limit_exceeded",
            "rate_limit_error",
            "ramp_limit_exceeded",
            "throttlingexception",
            "servicequotaexceededexception",
            "resource_exhausted",
        ]),
        Class::RateLimit,
    ),
    Row(&[429], Signal::Status, Class::RateLimit),
    Row(&[401, 403], Signal::Status, Class::Auth),
    Row(&[404, 410], Signal::Status, Class::ModelGone),
    Row(&[409], Signal::Status, Class::Conflict),
    Row(&[408, 424], Signal::Status, Class::Server),
    Row(
        &[0, 200],
        Signal::Code(&["invalid_request_error", "validationexception"]),
        Class::BadRequest,
    ),
];

/// What a model lacks, where its provider has no code for that.
const GAPS: &[&str] = &[
    "is not supported with this model",
    "is not supported for this model",
    "is not supported by this model",
    "this model doesn't support",
    "this model does not support",
    "does not support tools",
];

/// Classifies an error answer by status, headers and the first bytes of its body. `now` is for HTTP dates.
#[must_use]
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Classified {
    let body = body.get(..limits::ERROR_BODY_BYTES).unwrap_or(body);
    let mut said = match serde_json::from_slice::<Value>(body) {
        Ok(document) => Said::of(&document),
        // Cut or not JSON: the text itself is searched, so that a phrase still counts.
        Err(_) => Said::text(&String::from_utf8_lossy(body)),
    };
    said.note_kind(headers);
    classified(said, status, retry_after(headers, now))
}

/// Classifies the `error` member of an event in a stream that has not begun to answer.
/// A numeric code counts as the status that the provider would have sent.
#[must_use]
pub fn classify_event(error: &Value) -> Classified {
    let said = Said::of(error);
    let status = said.codes.iter().find_map(|c| c.parse().ok()).unwrap_or(0);
    classified(said, status, None)
}

/// The provider's own words in an error's JSON, whoever it is.
#[must_use]
pub fn told_in(error: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(error).ok()?;
    let outer = document.get(0).unwrap_or(&document);
    let error = outer.get("error").unwrap_or(outer);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let member = |name: &str| error.get(name).and_then(text);
    member("message").or_else(|| text(error)).or_else(|| member("detail"))
}

/// The larger of the two waits counts, the headers' and the body's.
fn classified(said: Said, status: u16, retry_after: Option<Duration>) -> Classified {
    let class = ROWS
        .iter()
        .find(|row| matches(&said, status, row))
        .map_or_else(|| by_status(status), |row| row.2);
    let unsupported = |c: &String| c == "unsupported_parameter" || c == "unsupported_value";
    let lacking = || GAPS.iter().any(|phrase| said.message.contains(phrase));
    let capability_gap =
        class == Class::BadRequest && (said.codes.iter().any(unsupported) || lacking());
    let retry_after = retry_after.max(said.wait.map(within_cap));
    Classified { class, retry_after, code: said.shown, capability_gap }
}

fn matches(said: &Said, status: u16, row: &Row) -> bool {
    (row.0.is_empty() || row.0.contains(&status))
        && match row.1 {
            Signal::Status => true,
            Signal::Code(names) => said.codes.iter().any(|c| names.contains(&c.as_str())),
            Signal::Message(phrases) => phrases.iter().any(|p| said.message.contains(p)),
        }
}

/// What no row names: a client error is the caller's, all else (redirects too) is the server's.
const fn by_status(status: u16) -> Class {
    if 400 <= status && status < 500 { Class::BadRequest } else { Class::Server }
}
