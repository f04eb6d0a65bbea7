//! The plain (not streamed) chat completion.

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Invocation};

/// Fingerprint of the "system" that answers.
pub(crate) const FINGERPRINT: &str = "fp_pointsman_sim";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    choices: Vec<PlainChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Value>,
    service_tier: &'a str,
    system_fingerprint: &'a str,
}

#[derive(Serialize)]
struct PlainChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Option<&'a str>,
    refusal: Option<()>,
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<PlainCall<'a>>,
}

#[derive(Serialize)]
struct PlainCall<'a> {
    id: &'a str,
    r#type: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The whole JSON document.
///
/// # Errors
/// Never for real answers; passed up rather than hidden.
pub(crate) fn document(answer: &Answer) -> serde_json::Result<Vec<u8>> {
    let choices = answer.choices.iter().enumerate().map(|(index, choice)| PlainChoice {
        index,
        message: Message {
            role: "assistant",
            content: choice.text.as_deref(),
            refusal: None,
            annotations: [],
            tool_calls: choice.calls.iter().map(plain_call).collect(),
        },
        logprobs: None,
        finish_reason: choice.finish,
    });
    serde_json::to_vec(&Completion {
        id: &answer.id,
        object: "chat.completion",
        created: answer.created,
        model: &answer.model,
        choices: choices.collect(),
        usage: answer.usage.as_ref(),
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
    })
}

fn plain_call(call: &Invocation) -> PlainCall<'_> {
    let function = Function { name: &call.name, arguments: &call.arguments };
    PlainCall { id: &call.id, r#type: "function", function }
}
