//! The origin's answers and how to check them: a document ends with a fingerprint over all that
//! comes before it, a stream has a known number of content events and its `[DONE]`.

use std::fmt::Write;

use bytes::Bytes;
use flate2::Crc;

/// What stands before the fingerprint; eight hex digits and `"}` follow.
const TAIL: &[u8] = br#","system_fingerprint":"fp_"#;

/// What every content event of a stream has, and no other event.
pub(crate) const CONTENT: &[u8] = br#""content":"tok"#;

/// The last event of a stream.
pub(crate) const DONE: &[u8] = b"data: [DONE]";

/// A chat completion whose content has `bytes` bytes; `variant` makes documents differ.
pub(crate) fn document(bytes: usize, variant: u32) -> Bytes {
    let content = words(bytes, variant);
    let mut text = format!(
        concat!(
            r#"{{"id":"chatcmpl-bench{:02}","object":"chat.completion","created":1700000000,"#,
            r#""model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","#,
            r#""content":"{}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"#,
            r#""usage":{{"prompt_tokens":256,"completion_tokens":{},"total_tokens":{}}}"#
        ),
        variant,
        content,
        bytes.div_ceil(4),
        256 + bytes.div_ceil(4)
    );
    let sum = checksum(text.as_bytes());
    text.push_str(&String::from_utf8_lossy(TAIL));
    let _written = write!(text, "{sum:08x}\"}}");
    Bytes::from(text)
}

/// The same as one of Anthropic's messages, whose text bears the fingerprint: all else of it is written
/// anew for callers of another format.
pub(crate) fn message(bytes: usize, variant: u32) -> Bytes {
    let mut content = words(bytes.saturating_sub(SIGNED.len() + 8), variant);
    let sum = checksum(content.as_bytes());
    let _written = write!(content, "{SIGNED}{sum:08x}");
    let text = format!(
        concat!(
            r#"{{"id":"msg_bench{:02}","type":"message","role":"assistant","model":"bench","#,
            r#""content":[{{"type":"text","text":"{}"}}],"stop_reason":"end_turn","#,
            r#""stop_sequence":null,"usage":{{"input_tokens":256,"output_tokens":{}}}}}"#
        ),
        variant,
        content,
        bytes.div_ceil(4)
    );
    Bytes::from(text)
}

/// Whether `body` is a chat completion with the whole, unchanged text of a [`message`].
pub(crate) fn has_whole_text(body: &[u8]) -> bool {
    const BEFORE: &[u8] = br#""content":""#;
    let Some(start) = memchr::memmem::find(body, BEFORE) else { return false };
    let rest = &body[start + BEFORE.len()..];
    let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
    let Some((text, sum)) = end.checked_sub(8).map(|at| (&rest[..at], &rest[at..end])) else {
        return false;
    };
    text.strip_suffix(SIGNED.as_bytes())
        .zip(std::str::from_utf8(sum).ok().and_then(|hex| u32::from_str_radix(hex, 16).ok()))
        .is_some_and(|(covered, sum)| sum == checksum(covered))
}

/// What stands before a text's own fingerprint; eight hex digits follow.
const SIGNED: &str = " fp_";

/// So many bytes of text that needs no escapes.
fn words(bytes: usize, variant: u32) -> String {
    let mut content = String::with_capacity(bytes + 16);
    let mut number = variant;
    while content.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Writing to a String cannot fail.
        let _written = write!(content, "{number:x} ");
    }
    content.truncate(bytes);
    content
}

/// Whether `body` is a whole, unchanged [`document`].
pub(crate) fn is_whole(body: &[u8]) -> bool {
    let Some(start) = body.len().checked_sub(TAIL.len() + 10) else { return false };
    let (covered, tail) = body.split_at(start);
    let (marker, sum) = tail.split_at(TAIL.len());
    marker == TAIL
        && sum.ends_with(b"\"}")
        && std::str::from_utf8(&sum[..8])
            .is_ok_and(|hex| u32::from_str_radix(hex, 16).is_ok_and(|sum| sum == checksum(covered)))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The events of a stream in the order they are sent.
pub(crate) struct Events {
    /// The role delta.
    pub(crate) role: Bytes,
    /// A content delta.
    pub(crate) content: Bytes,
    /// Finish reason, usage if asked for, and `[DONE]`.
    pub(crate) end: Bytes,
}

/// A stream's events, with the usage event and the null members if `usage`.
pub(crate) fn events(usage: bool, chunks: usize) -> Events {
    let null = if usage { r#","usage":null"# } else { "" };
    let event = |delta: &str, finish: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","#,
                r#""created":1700000000,"model":"bench","system_fingerprint":"fp_bench","#,
                r#""choices":[{{"index":0,"delta":{{{}}},"logprobs":null,"finish_reason":{}}}]{}}}"#,
                "\n\n"
            ),
            delta, finish, null
        )
    };
    let mut end = event("", "\"stop\"");
    if usage {
        let _written = write!(
            end,
            concat!(
                r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","#,
                r#""created":1700000000,"model":"bench","choices":[],"#,
                r#""usage":{{"prompt_tokens":256,"completion_tokens":{},"total_tokens":{}}}}}"#,
                "\n\n"
            ),
            chunks,
            256 + chunks
        );
    }
    end.push_str("data: [DONE]\n\n");
    Events {
        role: event(r#""role":"assistant","content":"""#, "null").into(),
        content: event(r#""content":"token ""#, "null").into(),
        end: end.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A changed, shortened or empty document is never taken for a whole one.
    #[test]
    fn documents_are_checked_to_the_byte() {
        let whole = document(1024, 3);
        assert!(is_whole(&whole));
        let parsed: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(parsed["choices"][0]["message"]["content"].as_str().unwrap().len(), 1024);
        for at in 0..whole.len() {
            let mut bad = whole.to_vec();
            bad[at] ^= 1;
            assert!(!is_whole(&bad), "a flip at {at} passes");
            assert!(!is_whole(&whole[..at]), "a cut at {at} passes");
        }
    }

    /// A text that lost or changed a byte on its way is never taken for the whole one.
    #[test]
    fn a_messages_text_is_checked_in_another_format() {
        let whole = message(700, 5);
        let parsed: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        let text = parsed["content"][0]["text"].as_str().unwrap();
        assert_eq!(text.len(), 700);
        let chat = |text: &str| format!(r#"{{"choices":[{{"message":{{"content":"{text}"}}}}]}}"#);
        assert!(has_whole_text(chat(text).as_bytes()));
        assert!(!has_whole_text(chat(&text[1..]).as_bytes()));
        assert!(!has_whole_text(chat(&text[..699]).as_bytes()));
        assert!(!has_whole_text(chat("").as_bytes()));
        assert!(!has_whole_text(&whole));
    }

    /// Every event is JSON, and only content events carry the marker.
    #[test]
    fn events_are_well_formed() {
        for usage in [false, true] {
            let events = events(usage, 7);
            let text = [events.role.as_ref(), &events.content, &events.end].concat();
            assert_eq!(memchr::memmem::find_iter(&text, CONTENT).count(), 1);
            let text = String::from_utf8(text).unwrap();
            let mut lines: Vec<&str> = text.split("\n\n").filter(|line| !line.is_empty()).collect();
            assert_eq!(lines.pop(), Some("data: [DONE]"));
            for line in lines {
                let json = line.strip_prefix("data: ").unwrap();
                let event: serde_json::Value = serde_json::from_str(json).unwrap();
                assert_eq!(event.get("usage").is_some(), usage);
            }
        }
    }
}
