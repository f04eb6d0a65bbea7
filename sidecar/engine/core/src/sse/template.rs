//! Chunks of one stream mostly differ in one text only. What surrounds it is remembered, so that the next such
//! chunk is recognised by comparing bytes: a quarter of the cost of reading it.

use memchr::memchr2;

use crate::limits;
use crate::wire::openai_chat::Chunk;

/// The last plain chunk without its text.
#[derive(Debug, Default)]
pub(super) struct Template {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    misses: u8,
}

impl Template {
    /// The text, escaped as on the wire, if the chunk is otherwise byte for byte the remembered one.
    pub(super) fn text<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        if self.prefix.is_empty() {
            return None;
        }
        let found = data
            .strip_prefix(&self.prefix[..])
            .and_then(|rest| rest.strip_suffix(&self.suffix[..]))
            .filter(|text| is_string_body(text));
        self.misses = if found.is_some() { 0 } else { self.misses.saturating_add(1) };
        found
    }

    /// Remembers a chunk whose one text is all that it says.
    pub(super) fn learn(&mut self, data: &[u8], chunk: &Chunk<'_>) {
        let Some((start, end)) = chunk.only_text(data) else { return };
        let around = data.len() - (end - start);
        if self.misses >= limits::STREAM_TEMPLATE_MISSES || around > limits::STREAM_TEMPLATE_BYTES {
            self.prefix.clear();
            return;
        }
        self.prefix.clear();
        self.prefix.extend_from_slice(&data[..start]);
        self.suffix.clear();
        self.suffix.extend_from_slice(&data[end..]);
    }
}

/// Does the text stand between two quotes as one string: no quote of its own, no escape cut off?
fn is_string_body(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' || at + 1 >= rest.len() {
            return false;
        }
        rest = &rest[at + 2..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str, more: &str) -> String {
        format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"{more}}},"finish_reason":null}}]}}"#
        )
    }

    fn taught(data: &str) -> Template {
        let mut template = Template::default();
        template.learn(data.as_bytes(), &Chunk::read(data.as_bytes()).unwrap());
        template
    }

    /// A chunk that differs in its text alone is recognised; one that differs elsewhere is not.
    #[test]
    fn recognises_the_same_shape() {
        let mut template = taught(&chunk("Hello", ""));
        let mut text = |data: &str| template.text(data.as_bytes()).map(<[u8]>::to_vec);
        assert_eq!(text(&chunk("Bye", "")), Some(b"Bye".to_vec()));
        assert_eq!(text(&chunk("", "")), Some(b"".to_vec()));
        assert_eq!(text(&chunk(r#"a\"b\\"#, "")), Some(br#"a\"b\\"#.to_vec()));
        assert_eq!(text(&chunk(r#"a","refusal":"b"#, "")), None);
        assert_eq!(text(&chunk(r"a\", "")), None);
        assert_eq!(text(&chunk("Bye", r#","x":1"#)), None);
        assert_eq!(text(&chunk("Bye", "").replace("null", "\"stop\"")), None);
    }

    /// Chunks that say more than one text teach nothing.
    #[test]
    fn learns_only_plain_chunks() {
        let plain = chunk("Hello", "");
        let with = |member: &str| plain.replacen('{', &format!("{{{member},"), 1);
        for told in [
            plain.replace("null", "\"stop\""),
            chunk("a", r#","refusal":"b""#),
            with(r#""usage":{"prompt_tokens":1,"completion_tokens":1}"#),
            with(r#""error":"x""#),
            chunk("a", r#","tool_calls":[{"id":"t"}]"#),
        ] {
            assert_eq!(taught(&told).text(plain.as_bytes()), None, "{told}");
        }
    }

    /// A stream whose chunks never match stops being compared.
    #[test]
    fn gives_up_on_obfuscation() {
        let mut template = Template::default();
        for n in 0..20 {
            let data = chunk("a", &format!(r#","n":{n}"#));
            assert_eq!(template.text(data.as_bytes()), None);
            template.learn(data.as_bytes(), &Chunk::read(data.as_bytes()).unwrap());
        }
        assert!(template.prefix.is_empty());
    }
}
