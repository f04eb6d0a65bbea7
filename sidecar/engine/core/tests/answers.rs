//! Plain answers: what is needed is read, what is no answer is a failure and never a zero bill.

use pointsman_core::usage::Usage;
use pointsman_core::wire::openai_chat::{Answer, NoAnswer};

const PLAIN: &str = r#"{"id":"chatcmpl-bd702c06b1e24063","object":"chat.completion","created":1795367210,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":" suit","refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"service_tier":null,"system_fingerprint":"vllm-0.24.0-945b6516","usage":{"prompt_tokens":10,"total_tokens":26,"completion_tokens":16,"prompt_tokens_details":null},"prompt_logprobs":null}"#;

/// A recorded vLLM answer gives id, usage, finish reasons and a byte bound of its tokens.
#[test]
fn reads_a_recorded_answer() {
    let answer = Answer::chat(PLAIN.as_bytes()).unwrap();
    assert_eq!(answer.id.as_deref(), Some("chatcmpl-bd702c06b1e24063"));
    assert_eq!(answer.usage, Some(Usage { input: 10, output: 16, ..Usage::default() }));
    assert_eq!((answer.service_tier, answer.finish_reasons), (None, vec!["length".to_owned()]));
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
    assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    assert_eq!(answer.finish_reasons, ["", ""]);
    assert_eq!(answer.output_bytes, r#"{"content":"x"}"#.len() as u64);
}

/// Embeddings are billed by their prompt tokens alone.
#[test]
fn reads_embeddings() {
    let body = br#"{"object":"list","data":[{"index":0,"embedding":"AAAA"}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let answer = Answer::embeddings(body).unwrap();
    assert_eq!(answer.usage, Some(Usage { input: 8, ..Usage::default() }));
}
