//! What chat has no member for and clients carry nevertheless: the signature of a tool call.

/// Between a call's id and its signature. Clients drop members that they do not know, but return ids as
/// they were (LiteLLM's convention, wire.md A11).
pub(crate) const SIGNATURE: &str = "__thought__";

/// The id that a client sees.
pub(crate) fn with_signature(id: &str, signature: Option<&str>) -> String {
    signature.map_or_else(|| id.to_owned(), |signature| [id, SIGNATURE, signature].concat())
}

/// The call's own id, and the signature that it carried.
pub(crate) fn without_signature(id: String) -> (String, Option<String>) {
    match id.split_once(SIGNATURE) {
        Some((own, signature)) => (own.to_owned(), Some(signature.to_owned())),
        None => (id, None),
    }
}

/// A `finish_reason` of ours and, where it says less than the provider's, the provider's word.
pub(crate) fn finish(finish: &crate::form::Finish) -> (&'static str, Option<&str>) {
    use crate::form::FinishReason as R;
    match finish.reason {
        R::Stop | R::StopText(_) => ("stop", None),
        R::Length => ("length", None),
        R::Window | R::Pause => ("length", Some(&finish.raw)),
        R::Calls => ("tool_calls", None),
        R::Filter | R::Refusal => ("content_filter", None),
        R::Other => ("stop", Some(&finish.raw)),
    }
}

/// The meaning of a `finish_reason`. Ollama and others say `stop` where tools are to be called.
pub(crate) fn meaning(raw: &str, has_calls: bool) -> crate::form::Finish {
    use crate::form::FinishReason as R;
    let reason = match raw {
        "stop" | "eos" | "end_turn" if has_calls => R::Calls,
        "stop" | "eos" | "end_turn" => R::Stop,
        "length" => R::Length,
        "model_length" => R::Window,
        "tool_calls" | "function_call" => R::Calls,
        "content_filter" => R::Filter,
        _ => R::Other,
    };
    crate::form::Finish { reason, raw: raw.to_owned() }
}
