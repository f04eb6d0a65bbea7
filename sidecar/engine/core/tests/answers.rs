//! Plain answers: what is needed is read, what is no answer is a failure and never a zero bill.

use pointsman_core::usage::Usage;
use pointsman_core::wire::openai_chat::{Answer, NoAnswer};
use proptest::prelude::*;
use serde_json::json;

const PLAIN: &str = r#"{"id":"chatcmpl-bd702c06b1e24063","object":"chat.completion","created":1795367210,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":" suit","refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"service_tier":null,"system_fingerprint":"vllm-0.24.0-945b6516","usage":{"prompt_tokens":10,"total_tokens":26,"completion_tokens":16,"prompt_tokens_details":null},"prompt_logprobs":null}"#;

/// A recorded vLLM answer gives id, usage and a byte bound of its tokens.
#[test]
fn reads_a_recorded_answer() {
    let answer = Answer::chat(PLAIN.as_bytes()).unwrap();
    assert_eq!(answer.id.as_deref(), Some("chatcmpl-bd702c06b1e24063"));
    assert_eq!(answer.usage, Some(Usage { input: 10, output: 16, ..Usage::default() }));
    assert!(answer.output_bytes > " suit".len() as u64);
}

/// Cut at every byte, a plain answer is never taken for one.
#[test]
fn a_cut_answer_is_a_failure() {
    for cut in 0..PLAIN.len() {
        let answer = Answer::chat(&PLAIN.as_bytes()[..cut]);
        assert_eq!(answer, Err(NoAnswer::NotJson), "cut at {cut}");
    }
}

/// A 200 without choices, or with an error in it, failed.
#[test]
fn a_200_without_an_answer_is_a_failure() {
    for (body, why) in [
        ("{}", NoAnswer::Empty),
        (r#"{"choices":[]}"#, NoAnswer::Empty),
        (r#"{"choices":null,"usage":{"prompt_tokens":1,"completion_tokens":1}}"#, NoAnswer::Empty),
        (r#"{"error":{"message":"no"},"choices":[{}]}"#, NoAnswer::ErrorBody),
        ("<html>", NoAnswer::NotJson),
        ("", NoAnswer::NotJson),
        (r#"{"choices":[{}]} x"#, NoAnswer::NotJson),
    ] {
        assert_eq!(Answer::chat(body.as_bytes()), Err(why), "{body}");
    }
    assert_eq!(Answer::embeddings(br#"{"data":[]}"#), Err(NoAnswer::Empty));
}

/// Odd types in members that we only look at do not make an answer fail; unreported usage stays unreported.
#[test]
fn odd_members_are_tolerated() {
    let odd = r#"{"id":7,"error":null,"service_tier":"flex","usage":"none","choices":[{"finish_reason":null,"message":{"content":"x"}},{}]}"#;
    let answer = Answer::chat(odd.as_bytes()).unwrap();
    assert_eq!((answer.id, answer.usage), (None, None));
    assert_eq!(answer.output_bytes, r#"{"content":"x"}"#.len() as u64);
}

/// Embeddings are billed by their prompt tokens alone.
#[test]
fn reads_embeddings() {
    let body = br#"{"object":"list","data":[{"index":0,"embedding":"AAAA"}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let answer = Answer::embeddings(body).unwrap();
    assert_eq!(answer.usage, Some(Usage { input: 8, ..Usage::default() }));
}

proptest! {
    /// Whatever stands around and between them, id, usage and the messages' length are read as a whole parser reads them.
    #[test]
    fn reads_what_a_parser_reads(
        id in "[a-zA-Z0-9-]{1,40}", texts in prop::collection::vec(any::<String>(), 1..4),
        input in 0_u64..1_000_000, output in 0_u64..1_000_000, other in any::<String>(), pretty: bool,
    ) {
        let message = |text: &String| json!({"message": {"content": text}, other.clone(): {"x": [text]}});
        let choices: Vec<_> = texts.iter().map(message).collect();
        let usage = json!({"prompt_tokens": input, "completion_tokens": output});
        let body = json!({"id": id, other.clone() + "x": [other, {"id": 1}], "choices": choices, "usage": usage});
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
        let text = text.unwrap();
        let answer = Answer::chat(text.as_bytes()).unwrap();
        prop_assert_eq!(answer.id, Some(id));
        prop_assert_eq!(answer.usage, Some(Usage { input, output, ..Usage::default() }));
        let least: usize = texts.iter().map(String::len).sum();
        prop_assert!(answer.output_bytes >= least as u64 && answer.output_bytes < text.len() as u64);
        prop_assert_eq!(Answer::chat(&text.as_bytes()[..text.len() - 1]), Err(NoAnswer::NotJson));
    }
}
