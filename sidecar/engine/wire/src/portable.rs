//! What of a request that passes unchanged only its maker understands: taken out, so that a conversation
//! which another maker's model began can go on. Ids of calls that carry another maker's signature lose
//! it, thoughts that nobody signed and reasoning that is kept elsewhere go. All else stays as it is.
//! Source: wire.md A11.

use serde_json::Value;

use crate::form::Unreadable;
use crate::openai_chat::marks::SIGNATURE;

/// Whether a request may hold something of the kind: with nothing of this in it, [`chat`] and the others
/// change nothing.
pub const SIGNS: [&[u8]; 3] = [b"__thought__", b"\"signature\":\"\"", b"\"signature\": \"\""];

/// The document of a request.
///
/// # Errors
/// It is no JSON.
pub fn document(body: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(body)
        .map_err(|error| Unreadable { path: "body".into(), why: format!("not JSON: {error}") })
}

/// OpenAI's chat: ids of calls, at which OpenAI takes 40 characters.
pub fn chat(body: &mut Value) {
    for message in list(body, "messages") {
        unsign(message, "tool_call_id");
        list(message, "tool_calls").for_each(|call| unsign(call, "id"));
    }
}

/// Anthropic's Messages: ids of calls, and thoughts without a signature, which Anthropic refuses. A turn
/// that held nothing else goes with them.
pub fn messages(body: &mut Value) {
    let Some(turns) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    turns.retain_mut(|turn| {
        let Some(blocks) = turn.get_mut("content").and_then(Value::as_array_mut) else {
            return true;
        };
        let before = blocks.len();
        blocks.retain(|block| {
            let signature = block.get("signature").and_then(Value::as_str).unwrap_or_default();
            block["type"] != "thinking" || !signature.is_empty()
        });
        blocks.iter_mut().for_each(|block| {
            let key = if block["type"] == "tool_result" { "tool_use_id" } else { "id" };
            unsign(block, key);
        });
        before == 0 || !blocks.is_empty()
    });
}

/// OpenAI's Responses: ids of calls.
pub fn responses(body: &mut Value) {
    list(body, "input").for_each(|item| unsign(item, "call_id"));
}

/// The same: reasoning that is not this provider's by its id.
pub fn reasoning(body: &mut Value, is_own: impl Fn(&str) -> bool) {
    let Some(items) = body.get_mut("input").and_then(Value::as_array_mut) else { return };
    items.retain(|item| {
        let id = item.get("id").and_then(Value::as_str);
        item["type"] != "reasoning" || id.is_none_or(&is_own)
    });
}

fn list<'a>(holder: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    holder.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn unsign(holder: &mut Value, key: &str) {
    if let Some(Value::String(id)) = holder.get_mut(key)
        && let Some(at) = id.find(SIGNATURE)
    {
        id.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A11: Gemini's signature rides on the ids of calls and comes off them before another maker.
    #[test]
    fn signatures_come_off_ids() {
        let call = json!({"id": "call_1__thought__abc=", "type": "function", "x": 1});
        let mut body = json!({"messages": [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1__thought__abc=", "content": "a__thought__b"},
        ]});
        chat(&mut body);
        assert_eq!(
            body["messages"][0]["tool_calls"][0],
            json!({"id": "call_1", "type": "function", "x": 1})
        );
        let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "a__thought__b"});
        assert_eq!(body["messages"][1], result);
        let mut body = json!({"input": [
            {"type": "function_call", "call_id": "c__thought__x"},
            {"type": "function_call_output", "call_id": "c__thought__x", "output": ""},
            {"type": "reasoning", "id": "rs_theirs"}, {"type": "reasoning", "id": "rs_own"},
            {"type": "reasoning", "encrypted_content": "e"}, {"role": "user", "content": "Hi"},
        ]});
        reasoning(&mut body, |id| id == "rs_own");
        responses(&mut body);
        assert_eq!(body["input"].as_array().unwrap().len(), 5);
        assert_eq!(
            (&body["input"][1]["call_id"], &body["input"][2]["id"]),
            (&json!("c"), &json!("rs_own"))
        );
    }

    /// A11: thoughts of other makers have no signature of Anthropic's; those of Anthropic stay byte for byte.
    #[test]
    fn unsigned_thoughts_go() {
        let signed = json!({"type": "thinking", "thinking": "t", "signature": "EqQB"});
        let unsigned = json!({"type": "thinking", "thinking": "t", "signature": ""});
        let call =
            json!({"type": "tool_use", "id": "toolu_1__thought__a_3d", "name": "f", "input": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_1__thought__a_3d"});
        let mut body = json!({"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [unsigned, signed, call]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [unsigned]},
        ]});
        messages(&mut body);
        assert_eq!(body["messages"].as_array().unwrap().len(), 3);
        assert_eq!(body["messages"][1]["content"][0], signed);
        assert_eq!(body["messages"][1]["content"][1]["id"], "toolu_1");
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
    }
}
