//! The words of our own answers: what happened, and what helps.

use super::money::resets;
use super::{Hopeless, NoCandidate, Refusal};
use crate::fleet::State;
use crate::limits;

/// The `error.message` of a refusal.
pub(super) fn message(refusal: &Refusal) -> String {
    of_request(refusal).unwrap_or_else(|| of_service(refusal))
}

/// A text from outside, shortened at a character.
pub(super) fn short(text: &str) -> String {
    let mut chars = text.chars();
    let mut kept: String = chars.by_ref().take(limits::ECHO_CHARS).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

fn of_request(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::BodyTooLarge { limit } => {
            format!("The request body is larger than {limit} bytes. Send a smaller one.")
        }
        Refusal::HeadersTooLarge { limit } => {
            format!(
                "The request headers are larger than {limit} bytes. Send fewer or shorter ones."
            )
        }
        Refusal::RequestTooSlow => "The request did not arrive in time. Send it again.".to_owned(),
        Refusal::BadHead => "The request's head is not readable HTTP/1.1.".to_owned(),
        Refusal::CallerGone => "The request broke off before its end.".to_owned(),
        Refusal::EncodedBody { encoding } => format!(
            "The request body is encoded as '{}'. Send plain JSON, without content-encoding.",
            short(encoding)
        ),
        Refusal::BadJson { reason } => {
            format!("The request body is not a readable JSON object: {}.", short(reason))
        }
        Refusal::DuplicateKey { key } => {
            format!("The key '{}' stands twice in the request. Send it once.", short(key))
        }
        Refusal::BadValue { param, reason } => {
            format!("'{}' is not valid: {}.", short(param), short(reason))
        }
        Refusal::Untranslatable { param, why } => format!(
            "No candidate's provider can be asked for '{}': {}. A candidate that speaks the \
             request's own format takes it as it is.",
            short(param),
            why.trim_end_matches('.')
        ),
        Refusal::MissingModel => {
            "The request names no model. Add \"model\"; GET /v1/models lists the names.".to_owned()
        }
        Refusal::ModelNotFound { model } => format!(
            "The model '{}' does not exist here. GET /v1/models lists the names; \
             a rule or an alias may add one.",
            short(model)
        ),
        Refusal::NotFound { path } => format!(
            "There is no '{}' here. Use /v1/chat/completions, /v1/responses, /v1/messages, \
             /v1beta/models/NAME:generateContent, /v1/embeddings or /v1/models.",
            short(path)
        ),
        Refusal::StateElsewhere { .. }
        | Refusal::StateTorn
        | Refusal::UnpricedBatch
        | Refusal::UnpricedCache
        | Refusal::Realtime => return of_kept(refusal),
        Refusal::MethodNotAllowed { allow } => format!("This path takes {allow} only."),
        Refusal::NoCandidate(why) => of_no_candidate(why),
        Refusal::Budget { no, of } => no.message(of),
        Refusal::Limited(limited) => limited.message(),
        Refusal::Caller(no) => no.message(),
        _ => return None,
    })
}

/// What is asked of a provider beyond single calls.
fn of_kept(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::StateElsewhere { models } if models.is_empty() => {
            "What this request refers to by an id is kept at a provider's account that the route table has \
             no more. Send the whole conversation instead of the id."
                .to_owned()
        }
        Refusal::StateElsewhere { models } => format!(
            "What this request refers to by an id is kept at the provider that answered before, and no \
             candidate of the matched rule is called there. Ask for one of {}, or send the whole \
             conversation instead of the id.",
            short(models)
        ),
        Refusal::StateTorn => "This request refers by ids to what two different providers keep, and \
             neither knows the other's. Send the content instead of one of the ids."
            .to_owned(),
        Refusal::UnpricedBatch => "A Budget is enforced here, and what a batch costs is known only when it has \
             ended. Send its calls one by one, or have it run by a workload without an enforced Budget."
            .to_owned(),
        Refusal::UnpricedCache => "A Budget is enforced here, and a cache is billed by the hour, whoever asks \
             from it. Send the content with each call, or have a workload without an enforced Budget keep it."
            .to_owned(),
        Refusal::Realtime => "Pointsman carries no WebSocket and no realtime session. Ask by HTTP, with \
             \"stream\": true for an answer that comes as it is made; a realtime client must call its \
             provider itself."
            .to_owned(),
        _ => return None,
    })
}

fn of_no_candidate(why: &NoCandidate) -> String {
    match why {
        NoCandidate::Capability { needed } => format!(
            "No candidate of the matched rule can do what the request needs ({}). \
             Add one that can, or leave it out.",
            short(needed)
        ),
        NoCandidate::Context { tokens } => format!(
            "This request exceeds the maximum context length of every candidate: \
             about {tokens} prompt tokens. Send a shorter prompt."
        ),
        NoCandidate::BudgetTier(of) => format!(
            "Budget {}, limit {}, allows only cheaper models than this rule's candidates now{}. \
             Ask a cheaper model, or raise the Budget's limit.",
            short(&of.budget),
            short(&of.limit),
            resets(of)
        ),
        NoCandidate::Credential => {
            "No candidate has a credential that may be sent to it. Add the key to the Secret that \
             the ModelPool names, or the model's host to that Secret's allowed-hosts."
                .to_owned()
        }
        NoCandidate::Unresolved => "The matched rule has no usable candidate: the models that it \
             names are missing or refused. The RoutingPolicy's conditions say why; \
             `pointsman validate` prints all of it."
            .to_owned(),
        NoCandidate::NoEndpoint { model, state } => format!(
            "The self-hosted model {} {}, and no other candidate can take the request. Try again later, \
             or give the rule another candidate.",
            short(model),
            match state {
                State::Starting => "is still starting",
                State::Asleep => "is asleep",
                State::Ready | State::Absent => "has no ready endpoint",
            }
        ),
        NoCandidate::NoPolicy { policy } => format!(
            "The RoutingPolicy {} that served this workload was deleted, and no other serves it. \
             Create one whose target is this workload.",
            short(policy)
        ),
    }
}

fn of_service(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoTable => "Pointsman has no route table yet. Try again; \
             if it stays so, see the RoutingPolicy's status."
            .to_owned(),
        Refusal::UpstreamFailed { class, hopeless, attempts } => format!(
            "No model could answer: the last one's provider {} ({attempts} attempts). \
             `pointsman explain` shows each.",
            hopeless.map_or(class.phrase(), Hopeless::phrase)
        ),
        Refusal::DeadlineExceeded { total_ms } => format!(
            "The call took longer than {total_ms} ms: what came so far, if anything, is not complete. \
             Ask for less, or raise the rule's timeouts.total."
        ),
        Refusal::InvalidTicket => {
            "This gateway takes calls of Pointsman's sidecars, in namespaces that \
             its ModelPool allows. Call http://127.0.0.1:4617 of an injected pod instead."
                .to_owned()
        }
        Refusal::Draining => {
            "Pointsman is shutting down, and its drainSeconds were over before the \
             answer was. What came so far is not complete. Send the request again."
                .to_owned()
        }
        Refusal::Shed => "Pointsman has no room for this request now. Try again.".to_owned(),
        _ => "Pointsman failed on this request; its id is in x-pointsman-request-id.".to_owned(),
    }
}
