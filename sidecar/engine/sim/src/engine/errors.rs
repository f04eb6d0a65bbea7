//! Errors as each engine words them.

use http::StatusCode;
use serde_json::{Value, json};

use super::config::Dialect;

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Dialect {
    /// A body that is no JSON object. vLLM tells where in its own source it noticed.
    pub(crate) fn bad_json(self, position: usize) -> Refused {
        let detail = format!(
            "{{'type': 'json_invalid', 'loc': ('body', {position}), 'msg': 'JSON decode error', \
             'input': {{}}, 'ctx': {{'error': 'Expecting value'}}}}"
        );
        self.invalid(&detail, &format!("body.{position}"))
    }

    /// A body that lacks a field.
    pub(crate) fn missing(self, field: &str) -> Refused {
        let detail =
            format!("{{'type': 'missing', 'loc': ('body', '{field}'), 'msg': 'Field required'}}");
        self.invalid(&detail, &format!("body.{field}"))
    }

    /// A field whose value is impossible.
    pub(crate) fn bad_value(self, message: &str, param: &str) -> Refused {
        self.refused(StatusCode::BAD_REQUEST, message, "BadRequestError", Some(param))
    }

    /// More prompt than the context holds.
    pub(crate) fn too_long(self, tokens: usize, most: usize) -> Refused {
        match self {
            Self::Vllm | Self::SgLang => self.bad_value(
                &format!(
                    "This model's maximum context length is {most} tokens. However, you requested \
                     0 output tokens and your prompt contains at least {tokens} input tokens, for \
                     a total of at least {tokens} tokens. Please reduce the length of the input \
                     prompt or the number of requested output tokens. (parameter=input_tokens, \
                     value={tokens})"
                ),
                "input_tokens",
            ),
            Self::LlamaCpp => {
                let message = format!(
                    "request ({tokens} tokens) exceeds the available context size ({most} \
                     tokens), try increasing it"
                );
                let mut refused = self.bad_value(&message, "");
                refused.body["error"]["type"] = "exceed_context_size_error".into();
                refused.body["error"]["n_prompt_tokens"] = tokens.into();
                refused.body["error"]["n_ctx"] = most.into();
                refused
            }
        }
    }

    /// A model that is not served here. llama.cpp serves any name.
    pub(crate) fn unknown_model(self, model: &str) -> Refused {
        let message = format!("The model `{model}` does not exist.");
        self.refused(StatusCode::NOT_FOUND, &message, "NotFoundError", Some("model"))
    }

    /// A path that does not exist; for the Python engines without an `error` object.
    pub(crate) fn unknown_path(self) -> Refused {
        let body = match self {
            Self::Vllm | Self::SgLang => json!({"detail": "Not Found"}),
            Self::LlamaCpp => {
                json!({"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})
            }
        };
        Refused { status: StatusCode::NOT_FOUND, body }
    }

    /// A process that is still loading its model.
    pub(crate) fn starting(self) -> Refused {
        let body = match self {
            Self::Vllm | Self::SgLang => json!({"detail": "Service Unavailable"}),
            Self::LlamaCpp => {
                json!({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})
            }
        };
        Refused { status: StatusCode::SERVICE_UNAVAILABLE, body }
    }

    fn invalid(self, detail: &str, param: &str) -> Refused {
        let message = format!(
            "1 validation error:\n  {detail}\n\n  File \"ENGINE_SOURCE\", line 40, in \
             create_chat_completion\n    POST /v1/chat/completions [{detail}]"
        );
        self.refused(StatusCode::BAD_REQUEST, &message, "Bad Request", Some(param))
    }

    fn refused(
        self,
        status: StatusCode,
        message: &str,
        kind: &str,
        param: Option<&str>,
    ) -> Refused {
        let code = status.as_u16();
        let body = match self {
            Self::Vllm => {
                json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
            }
            Self::SgLang => json!({"object": "error", "message": message, "type": kind,
                "param": param, "code": code}),
            Self::LlamaCpp => {
                let kind = if code == 404 { "not_found_error" } else { "invalid_request_error" };
                json!({"error": {"message": message, "type": kind, "code": code}})
            }
        };
        Refused { status, body }
    }
}
