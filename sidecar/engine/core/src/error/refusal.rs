//! Every answer that Pointsman itself gives: one variant each, in OpenAI's error shape.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use pointsman_wire::Fault;
use serde_json::json;

use super::message::{message, short};
use super::money::{BudgetNo, LimitName};
use super::retry::Retry;
use super::spent::{upstream_code, upstream_kind};
use super::{CallerNo, Class, Hopeless, Limited};
use crate::fleet::State;
use crate::limits;

/// An answer of our own. Texts from outside are shortened, and escaped by the JSON writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request body is larger than we take.
    BodyTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The request's headers are larger than we take.
    HeadersTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The request's head is no HTTP.
    BadHead,
    /// The request did not arrive in time.
    RequestTooSlow,
    /// The caller left before its request was complete: nobody reads this.
    CallerGone,
    /// The body is compressed; we read only plain JSON.
    EncodedBody {
        /// Its content-encoding.
        encoding: String,
    },
    /// The body is not a JSON object that we can read.
    BadJson {
        /// What is wrong and where.
        reason: String,
    },
    /// A key that we interpret stands twice at the top level.
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// An interpreted key has a value of the wrong kind or size.
    BadValue {
        /// The key.
        param: String,
        /// What it must be.
        reason: String,
    },
    /// No candidate's provider has anything like what a member asks for.
    Untranslatable {
        /// Path of the member.
        param: String,
        /// Why, and what the caller can do.
        why: &'static str,
    },
    /// There is no `model`.
    MissingModel,
    /// No rule, model or alias takes the name.
    ModelNotFound {
        /// As the caller wrote it.
        model: String,
    },
    /// Every candidate was filtered out.
    NoCandidate(NoCandidate),
    /// No table has been loaded yet.
    NoTable,
    /// All attempts failed.
    UpstreamFailed {
        /// The last attempt's.
        class: Class,
        /// Why another try would end the same.
        hopeless: Option<Hopeless>,
        /// How many were made.
        attempts: u8,
    },
    /// The call as a whole took too long.
    DeadlineExceeded {
        /// `timeouts.totalMs`.
        total_ms: u64,
    },
    /// A Budget refuses.
    Budget {
        /// Why.
        no: BudgetNo,
        /// Which limit decided.
        of: LimitName,
    },
    /// What its provider allows the whole fleet is used up.
    Limited(Limited),
    /// The caller is not let in.
    Caller(CallerNo),
    /// We have no room.
    Shed,
    /// The process ends, and the drain's time is over.
    Draining,
    /// A fault of ours.
    Internal,
    /// A gateway does not know its caller, or not as one who may use it.
    InvalidTicket,
    /// It refers to what is kept at an account that no candidate is called with.
    StateElsewhere {
        /// Which models are; empty: none any more.
        models: String,
    },
    /// It refers to what two accounts keep.
    StateTorn,
    /// A batch under a Budget: what it costs is known when it has ended.
    UnpricedBatch,
    /// The same of a cache, which is billed by the hour.
    UnpricedCache,
    /// A session in both directions (WebSocket, realtime), which we do not carry.
    Realtime,
    /// There is no such path.
    NotFound {
        /// As the caller wrote it.
        path: String,
    },
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// For the `allow` header.
        allow: &'static str,
    },
}

/// Why no candidate was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCandidate {
    /// None can do what the request needs.
    Capability {
        /// e.g. `tools, vision`.
        needed: String,
    },
    /// None has a window that large.
    Context {
        /// Estimated prompt tokens.
        tokens: u64,
    },
    /// A Budget allows lower tiers only.
    BudgetTier(LimitName),
    /// The last one tried has no key that may be sent to it.
    Credential,
    /// The route has none: what it names is missing or refused. It is never passed over, because
    /// its requests must not reach rules that were not meant for them.
    Unresolved,
    /// It is self-hosted, and there is no endpoint that could be called.
    NoEndpoint {
        /// `pool/model`.
        model: String,
        /// Why, as the hub says it.
        state: State,
    },
    /// The policy that served this workload was deleted.
    NoPolicy {
        /// `namespace/name`.
        policy: String,
    },
}

/// The fixed facts of a variant: status, `type`, `code`, `param`, label, class.
pub(super) struct Facts {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) code: &'static str,
    pub(super) label: &'static str,
    pub(super) class: Class,
    pub(super) retry: Retry,
}

pub(super) const INVALID: &str = "invalid_request_error";
pub(super) const SERVER: &str = "server_error";
pub(super) const QUOTA: &str = "insufficient_quota";
pub(super) const RATE: &str = "rate_limit_error";

impl Refusal {
    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.facts().status
    }

    /// Value of the metric label `refusal`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.facts().label
    }

    /// The class that records carry.
    #[must_use]
    pub fn class(&self) -> Class {
        self.facts().class
    }

    /// The `error.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.facts().code
    }

    /// Status and headers, without `content-length`.
    #[must_use]
    pub fn to_response_parts(&self) -> (StatusCode, HeaderMap) {
        let facts = self.facts();
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        facts.retry.tell(&mut headers);
        if let Self::MethodNotAllowed { allow } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if facts.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        (facts.status, headers)
    }

    /// `{"error": {message, type, param, code}}`.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let facts = self.facts();
        let error = json!({
            "message": message(self), "type": facts.kind, "param": self.param(), "code": facts.code,
        });
        Bytes::from(json!({ "error": error }).to_string())
    }

    /// For writers of other dialects' errors.
    #[must_use]
    pub fn fault(&self, request_id: &str) -> Fault {
        let facts = self.facts();
        Fault {
            status: facts.status.as_u16(),
            kind: facts.kind.to_owned(),
            code: Some(facts.code.to_owned()),
            param: self.param(),
            message: message(self),
            request_id: request_id.to_owned(),
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let (status, headers) = self.to_response_parts();
        let mut response = Response::new(self.body());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn param(&self) -> Option<String> {
        match self {
            Self::DuplicateKey { key: param }
            | Self::BadValue { param, .. }
            | Self::Untranslatable { param, .. } => Some(short(param)),
            Self::MissingModel
            | Self::ModelNotFound { .. }
            | Self::Caller(CallerNo::Model { .. }) => Some("model".to_owned()),
            Self::NoCandidate(NoCandidate::Context { .. }) => Some("messages".to_owned()),
            _ => None,
        }
    }

    fn facts(&self) -> Facts {
        use Retry::{After, Never, Silent};
        let bad = |status, code| fact(status, INVALID, code, code, Class::BadRequest, Silent);
        let shed = |code, seconds| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            fact(status, SERVER, code, code, Class::Shed, After(seconds))
        };
        match self {
            Self::BodyTooLarge { .. } => bad(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::HeadersTooLarge { .. } => {
                bad(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
            }
            Self::RequestTooSlow => bad(StatusCode::REQUEST_TIMEOUT, "request_too_slow"),
            Self::CallerGone => {
                let code = "caller_gone";
                fact(Class::CallerGone.status(), INVALID, code, code, Class::CallerGone, Silent)
            }
            Self::EncodedBody { .. } => bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded_body"),
            Self::BadHead => bad(StatusCode::BAD_REQUEST, "invalid_http"),
            Self::BadJson { .. } => bad(StatusCode::BAD_REQUEST, "invalid_json"),
            Self::DuplicateKey { .. } => bad(StatusCode::BAD_REQUEST, "duplicate_key"),
            Self::BadValue { .. } => bad(StatusCode::BAD_REQUEST, "invalid_value"),
            Self::Untranslatable { .. } => bad(StatusCode::BAD_REQUEST, "untranslatable"),
            Self::MissingModel => bad(StatusCode::BAD_REQUEST, "missing_model"),
            Self::ModelNotFound { .. } => bad(StatusCode::NOT_FOUND, "model_not_found"),
            Self::NoCandidate(why) => why.facts(),
            Self::NoTable => shed("no_table", 1),
            Self::UpstreamFailed { class, .. } => fact(
                class.status(),
                upstream_kind(*class),
                upstream_code(*class),
                "upstream_failed",
                *class,
                Never,
            ),
            Self::DeadlineExceeded { .. } => {
                let status = StatusCode::GATEWAY_TIMEOUT;
                let code = "deadline_exceeded";
                fact(status, SERVER, code, code, Class::SlowFirstToken, Never)
            }
            Self::Budget { no, .. } => no.facts(),
            Self::Limited(limited) => limited.facts(),
            Self::Caller(no) => no.facts(),
            Self::Shed => shed("overloaded", 1),
            Self::Draining => shed("shutting_down", 1),
            Self::Internal => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                fact(status, SERVER, "internal_error", "internal", Class::Server, Never)
            }
            Self::InvalidTicket => {
                let code = "invalid_ticket";
                fact(StatusCode::UNAUTHORIZED, INVALID, code, code, Class::Auth, Never)
            }
            Self::StateElsewhere { .. } | Self::StateTorn => {
                let code = "state_elsewhere";
                fact(StatusCode::BAD_REQUEST, INVALID, code, code, Class::StatefulMiss, Silent)
            }
            Self::UnpricedBatch => bad(StatusCode::BAD_REQUEST, "unpriced_batch"),
            Self::UnpricedCache => bad(StatusCode::BAD_REQUEST, "unpriced_cache"),
            Self::Realtime => bad(StatusCode::BAD_REQUEST, "realtime_unsupported"),
            Self::NotFound { .. } => bad(StatusCode::NOT_FOUND, "unknown_path"),
            Self::MethodNotAllowed { .. } => {
                bad(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
            }
        }
    }
}

const fn fact(
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    label: &'static str,
    class: Class,
    retry: Retry,
) -> Facts {
    Facts { status, kind, code, label, class, retry }
}

impl NoCandidate {
    fn facts(&self) -> Facts {
        let filtered = |code, class| Facts {
            status: StatusCode::BAD_REQUEST,
            kind: INVALID,
            code,
            label: "no_candidate",
            class,
            retry: Retry::Silent,
        };
        let unavailable = |code, class| Facts {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: SERVER,
            code,
            label: "no_candidate",
            class,
            retry: Retry::Never,
        };
        match self {
            Self::Capability { .. } => filtered("no_capable_model", Class::BadRequest),
            Self::Context { .. } => filtered("context_length_exceeded", Class::ContextTooLong),
            Self::BudgetTier(_) => Facts {
                status: StatusCode::TOO_MANY_REQUESTS,
                kind: QUOTA,
                code: QUOTA,
                label: "no_candidate",
                class: Class::Budget,
                retry: Retry::Never,
            },
            Self::Credential => unavailable("no_credential", Class::Auth),
            Self::Unresolved => unavailable("no_model", Class::ModelGone),
            Self::NoPolicy { .. } => unavailable("no_policy", Class::ModelGone),
            // An engine that starts is there soon: SDKs try again.
            Self::NoEndpoint { .. } => Facts {
                retry: Retry::After(limits::ENDPOINT_RETRY_S),
                ..unavailable("no_endpoint", Class::Connect)
            },
        }
    }
}
