//! The scanner agrees with `serde_json` about every document, however it is cut into pieces.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod bodies;
mod expect;
mod json;

use bodies::body;
use expect::{Expected, expect};
use json::Json;
use pointsman_core::scan::{Key, Scan, ScanError, ScanOptions, Scanner};
use proptest::prelude::*;

const OPTIONS: ScanOptions = ScanOptions { detect_pii: true, keep_text: true };

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new(OPTIONS);
    for piece in pieces {
        scanner.push(piece)?;
    }
    scanner.finish()
}

/// The scan in the oracle's terms; every span must hold its own value.
fn comparable(scan: &Scan, body: &[u8]) -> Expected {
    let at =
        |key: Key| scan.span(key).map(|span| serde_json::from_slice::<Json>(&body[span]).unwrap());
    if let Some(model) = &scan.model {
        assert_eq!(at(Key::Model), Some(Json::String(model.value.clone())));
        assert_eq!(Some(model.span.clone()), scan.span(Key::Model));
    }
    for (key, value) in [
        (Key::MaxTokens, &scan.max_tokens),
        (Key::MaxCompletionTokens, &scan.max_completion_tokens),
    ] {
        if let Some(spanned) = value {
            assert_eq!(at(key), Some(Json::Number(Some(spanned.value))));
            assert_eq!(Some(spanned.span.clone()), scan.span(key));
        }
    }
    assert_eq!(body[scan.open_brace], b'{');
    assert_eq!(scan.body_len, body.len());
    let text = &scan.last_user_text;
    Expected {
        model: scan.model.as_ref().map(|model| model.value.clone()),
        stream: scan.stream.as_ref().map(|stream| stream.value),
        include_usage: scan.include_usage,
        max_tokens: scan.max_tokens.as_ref().map(|cap| cap.value),
        max_completion_tokens: scan.max_completion_tokens.as_ref().map(|cap| cap.value),
        n: scan.n,
        has_tools: scan.has_tools,
        response_format: scan.response_format,
        service_tier: scan.service_tier.clone(),
        has_messages: scan.has_messages,
        has_input: scan.has_input,
        message_count: scan.message_count,
        text_bytes: scan.text_bytes,
        input_tokens: scan.input_tokens,
        image_parts: scan.image_parts,
        image_data_bytes: scan.image_data_bytes,
        has_audio: scan.has_audio,
        has_file: scan.has_file,
        last: format!("{}|{}|{}", text.head, text.tail, text.chars),
        members: scan.members,
    }
}

/// `head|tail|chars` of a whole text.
fn cut(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let head: String = chars.iter().take(500).collect();
    let tail: String =
        chars[chars.len().saturating_sub(500).max(500).min(chars.len())..].iter().collect();
    format!("{head}|{tail}|{}", chars.len())
}

fn agrees(body: &[u8], pieces: &[usize]) {
    let expected = serde_json::from_slice::<Json>(body)
        .ok()
        .and_then(|document| expect(&document))
        .map(|mut expected| {
            expected.last = cut(&expected.last);
            expected
        });
    let whole = scan([body]);
    let found = whole.as_ref().ok().map(|scan| comparable(scan, body));
    assert_eq!(found, expected, "{whole:?} of {}", String::from_utf8_lossy(body));
    let splits: Vec<usize> = if body.len() <= 400 {
        (0..=body.len()).collect()
    } else {
        pieces.iter().map(|at| at % body.len()).collect()
    };
    for at in splits {
        let (front, back) = body.split_at(at);
        assert_eq!(scan([front, back]).ok(), whole.as_ref().ok().cloned(), "cut at {at}");
    }
    assert_eq!(scan(body.chunks(1)).ok(), whole.ok(), "byte by byte");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Accept, reject and every extracted value are the oracle's, at every cut.
    #[test]
    fn scanner_equals_serde_json_at_every_chunk_split(body in body(), pieces in prop::collection::vec(any::<usize>(), 20)) {
        agrees(&body, &pieces);
    }

    /// Whatever comes in, the scanner answers.
    #[test]
    fn random_bytes_never_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
        let mut scanner = Scanner::new(OPTIONS);
        for piece in &pieces {
            let _ = scanner.push(piece);
        }
        let _ = scanner.finish();
    }

    /// Numbers end, overflow and fail where `serde_json`'s do.
    #[test]
    fn numbers_equal_serde_json(number in "-?[0-9]{0,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{0,4})?") {
        agrees(format!("{{\"x\":{number}}}").as_bytes(), &[]);
        agrees(format!("{{\"n\":{number} }}").as_bytes(), &[]);
    }

    /// Long numbers too: their digits beyond 64 bits are dropped alike.
    #[test]
    fn long_numbers_equal_serde_json(digits in "[1-9][0-9]{270,320}", fraction in "(\\.[0-9]{1,30})?", exponent in "([eE]-?[0-9]{1,12})?") {
        agrees(format!("{{\"x\":{digits}{fraction}{exponent}}}").as_bytes(), &[3, 300]);
    }

    /// Nesting is refused at the depth where `serde_json` refuses it.
    #[test]
    fn depth_equals_serde_json(depth in 120usize..135, object in any::<bool>()) {
        let (open, close) = if object { ("{\"a\":", "}") } else { ("[", "]") };
        let body = format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
        agrees(body.as_bytes(), &[7, 150]);
    }
}
