//! From what a request says to an ordered list of candidates: rule, task, features, filters, order.
//! A rule that needs no score computes none.

use std::cell::OnceCell;

use http::HeaderMap;

use crate::budget::Tier;
use crate::call::Call;
use crate::error::{NoCandidate, Refusal};
use crate::features::{FeatureInput, Features, Task, extract};
use crate::fleet::Load;
use crate::media::Medium;
use crate::plan::Taken;
use crate::rules::Facts;
use crate::scan::ResponseFormat;
use crate::select::{CandidateFacts, Filtered, Need, order};
use crate::table::{Overflow, Strategy};
use crate::wire::Dialect;

/// Bytes of text that make a token, for estimates (reservations use bounds instead).
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that a message's frame costs.
const TOKENS_PER_MESSAGE: u64 = 4;
/// Tokens that an image costs, for estimates.
pub(crate) const TOKENS_PER_IMAGE: u64 = 800;

/// Fills the call's route, task, estimate and rows.
///
/// # Errors
/// The body lacks what the endpoint needs, nothing takes the model name, or no candidate is left.
pub fn choose(call: &mut Call, headers: &HeaderMap) -> Result<(), Refusal> {
    if call.plan.table.removed {
        return Err(Refusal::NoCandidate(NoCandidate::NoPolicy {
            policy: call.plan.policy.clone(),
        }));
    }
    check_shape(call)?;
    call.prompt_tokens = call.scan.text_bytes / BYTES_PER_TOKEN
        + call.scan.input_tokens
        + u64::from(call.scan.message_count) * TOKENS_PER_MESSAGE
        + u64::from(call.scan.image_parts) * TOKENS_PER_IMAGE;
    let features = Lazy::new();
    call.taken = match_rule(call, headers, &features);
    if call.taken == Taken::Nothing {
        return Err(Refusal::ModelNotFound { model: call.requested().to_owned() });
    }
    order_candidates(call, headers, &features)
}

fn check_shape(call: &Call) -> Result<(), Refusal> {
    if call.requested().is_empty() {
        return Err(Refusal::MissingModel);
    }
    let missing = |param: &str, what: &str| {
        Err(Refusal::BadValue { param: param.to_owned(), reason: what.to_owned() })
    };
    match call.surface.dialect() {
        Dialect::Chat | Dialect::Messages if !call.scan.has_messages => {
            missing("messages", "an array of messages is required")
        }
        Dialect::Responses if !call.scan.has_messages => {
            missing("input", "a string or an array of items is required")
        }
        Dialect::Completions if !call.scan.has_messages => {
            missing("prompt", "a string or an array is required")
        }
        Dialect::Gemini if !call.scan.has_messages => {
            missing("contents", "an array of contents is required")
        }
        Dialect::GeminiEmbed if !call.scan.has_input => {
            missing("content", "a content of text parts is required")
        }
        Dialect::GeminiEmbedBatch if !call.scan.has_input => {
            missing("requests", "an array of requests, each with a content, is required")
        }
        Dialect::Embeddings if !call.scan.has_input => {
            missing("input", "a string or an array is required")
        }
        _ => Ok(()),
    }
}

/// Features are read at most once a call, and only where a rule or the strategy asks.
type Lazy = OnceCell<Features>;

fn match_rule(call: &mut Call, headers: &HeaderMap, features: &Lazy) -> Taken {
    let plan = call.plan.clone();
    let facts = Facts {
        headers,
        model: call.requested(),
        text: &call.scan.last_user_text,
        task: &|| features.get_or_init(|| read_features(call)).task,
        tokens: call.prompt_tokens,
        pii: call.scan.pii.is_some(),
    };
    let matched = plan.rules.first_match(&facts);
    call.task = features.get().map(|features| features.task);
    call.matched = Some(matched);
    matched.rule.map_or_else(|| plan.without_rule(call.requested()), Taken::Route)
}

fn order_candidates(call: &mut Call, headers: &HeaderMap, features: &Lazy) -> Result<(), Refusal> {
    let plan = call.plan.clone();
    let Some(route) = plan.route(call.taken) else { return Err(Refusal::Internal) };
    if route.candidates.is_empty() {
        return Err(Refusal::NoCandidate(NoCandidate::Unresolved));
    }
    let tier = call.max_tier(headers);
    let need = need(call, tier.map(|tier| tier.most));
    let scored = route.route.strategy == Strategy::Quality;
    let features = scored.then(|| features.get_or_init(|| read_features(call)));
    call.task = features.map(|features| features.task).or(call.task);
    let now_ms = call.worker().shared.clock.boot_ms();
    let candidates: Vec<CandidateFacts<'_>> = route
        .candidates
        .iter()
        .zip(&route.route.candidates)
        .map(|(place, candidate)| CandidateFacts {
            model: &plan.table.models[*place],
            head: plan.models[*place].head.as_ref(),
            load: seen(plan.models[*place].load(now_ms), route.route.overflow),
            weight: candidate.weight,
            priority: candidate.priority,
        })
        .collect();
    let task = call.task.unwrap_or(Task::Other);
    let worker = call.worker().clone();
    let ordered = order(
        route.route.strategy,
        &route.route.quality,
        route.lambda(),
        &need,
        features,
        task,
        &candidates,
        &mut worker.rng.borrow_mut(),
        &mut call.rows,
    );
    ordered.map_err(|none| Refusal::NoCandidate(explain(none.reason, call, tier, &need)))
}

/// What the route looks at: where it does not overflow, a candidate keeps its place. One that has no
/// endpoint at all cannot be tried.
fn seen(load: Load, overflow: Overflow) -> Load {
    let looks = match load {
        Load::Saturated => overflow.on_saturated,
        Load::ColdStart => overflow.on_cold_start,
        Load::Cooling => overflow.on_error,
        Load::Free | Load::NoEndpoint => true,
    };
    if looks { load } else { Load::Free }
}

fn need(call: &Call, max_tier: Option<u8>) -> Need {
    Need {
        chat: !call.surface.embeds() && call.surface.medium().is_none(),
        tools: call.scan.has_tools,
        vision: call.scan.image_parts > 0,
        json: call.scan.response_format != ResponseFormat::Text,
        embeddings: call.surface.embeds(),
        media: call.surface.medium().map(Medium::capability).zip(call.media.as_deref().copied()),
        prompt_tokens: call.prompt_tokens,
        output_tokens_cap: call.output_cap(),
        max_tier,
    }
}

fn read_features(call: &Call) -> Features {
    let scan = &call.scan;
    extract(&FeatureInput {
        head: &scan.last_user_text.head,
        tail: &scan.last_user_text.tail,
        chars: scan.last_user_text.chars,
        messages: scan.message_count,
        has_tools: scan.has_tools,
        json: scan.response_format != ResponseFormat::Text,
        images: scan.image_parts,
        prompt_tokens_estimate: call.prompt_tokens,
    })
}

fn explain(reason: Filtered, call: &Call, tier: Option<Tier>, need: &Need) -> NoCandidate {
    match reason {
        Filtered::Context => NoCandidate::Context { tokens: need.prompt_tokens },
        Filtered::BudgetTier => NoCandidate::BudgetTier(call.tier_limit(tier)),
        Filtered::NoEndpoint => call.no_endpoint(),
        // The last three are tried last, so that none of them alone leaves a candidate out.
        Filtered::Capability
        | Filtered::Floor
        | Filtered::State
        | Filtered::Cooldown
        | Filtered::ColdStart
        | Filtered::Saturated => {
            let wanted = [
                (need.embeddings, "embeddings"),
                (need.tools, "tools"),
                (need.vision, "vision"),
                (need.json, "json"),
                (need.media.is_some(), need.media.map_or("", |(capability, _)| capability)),
                (reason == Filtered::Floor, "the route's quality floor"),
            ];
            let names: Vec<&str> =
                wanted.iter().filter(|(needed, _)| *needed).map(|(_, name)| *name).collect();
            let needed = if names.is_empty() { "chat".to_owned() } else { names.join(", ") };
            NoCandidate::Capability { needed }
        }
    }
}
