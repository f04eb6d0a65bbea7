//! The event stream's framing: any pieces, and nothing believed that a checksum does not cover.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use pointsman_wire::eventstream::{
    Broken, Decoder, HEADERS_BYTES, Message, PAYLOAD_BYTES, event, exception, exception_type,
};
use proptest::prelude::*;

/// A message built by hand: the prelude's lengths may lie, the checksums are right.
fn by_hand(total: u32, headers_length: u32, headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [total.to_be_bytes(), headers_length.to_be_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn honest(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    by_hand(16 + length(headers) + length(payload), length(headers), headers, payload)
}

fn header(name: &str, kind: u8, value: &[u8]) -> Vec<u8> {
    let name_length = [u8::try_from(name.len()).unwrap()];
    [&name_length[..], name.as_bytes(), &[kind], value].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    header(name, 7, &[&length[..], value.as_bytes()].concat())
}

fn decode(pieces: &[&[u8]]) -> (Vec<Message>, Result<(), Broken>) {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    for piece in pieces {
        if let Err(broken) = decoder.push(piece, &mut out) {
            assert_eq!(decoder.push(b"", &mut out), Err(broken), "once broken, ever broken");
            return (out, Err(broken));
        }
    }
    let end = decoder.finish();
    (out, end)
}

fn three() -> (Vec<u8>, Vec<Message>) {
    let mut bytes = Vec::new();
    event("messageStart", br#"{"role":"assistant"}"#, &mut bytes);
    event("contentBlockDelta", b"", &mut bytes);
    exception("throttlingException", br#"{"message":"slow down"}"#, &mut bytes);
    let message =
        |name: &str, payload: &str| Message { name: name.into(), payload: payload.into() };
    let messages = vec![
        message("messageStart", r#"{"role":"assistant"}"#),
        message("contentBlockDelta", ""),
        message("exception:throttlingException", r#"{"message":"slow down"}"#),
    ];
    (bytes, messages)
}

/// Cut in two at every byte, and into single bytes, a stream says the same.
#[test]
fn pieces_do_not_matter() {
    let (bytes, messages) = three();
    for at in 0..=bytes.len() {
        let (one, other) = bytes.split_at(at);
        assert_eq!(decode(&[one, other]), (messages.clone(), Ok(())), "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single), (messages, Ok(())));
    assert_eq!(exception_type("exception:a"), Some("a"));
    assert_eq!(exception_type("messageStop"), None);
}

/// A stream that ends within a message is cut; one that ends between two is not.
#[test]
fn an_end_within_a_message_is_a_cut() {
    let (bytes, messages) = three();
    let mut ends = 0;
    for length in 0..=bytes.len() {
        let (read, end) = decode(&[&bytes[..length]]);
        assert_eq!(read, messages[..read.len()]);
        match end {
            Ok(()) => ends += 1,
            Err(broken) => assert_eq!(broken, Broken::Cut, "{length} bytes"),
        }
    }
    assert_eq!(ends, 4, "before the first and after each of three messages");
}

/// Any bit that flips is seen, wherever it is, and no message from there on is believed.
#[test]
fn every_flipped_bit_is_seen() {
    let (bytes, messages) = three();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let (read, end) = decode(&[&flipped]);
            assert_eq!(end, Err(Broken::Corrupt), "byte {at}, bit {bit}");
            assert_eq!(read, messages[..read.len()]);
        }
    }
}

/// Lengths beyond the bounds are refused as soon as they are told, before anything is stored.
#[test]
fn lengths_are_bounded() {
    let headers = u32::try_from(HEADERS_BYTES).unwrap();
    let payload = u32::try_from(PAYLOAD_BYTES).unwrap();
    let prelude = |total, headers| by_hand(total, headers, &[], &[])[..12].to_vec();
    for (total, length, expected) in [
        (u32::MAX, 0, Err(Broken::TooLong)),
        (16 + payload + 1, 0, Err(Broken::TooLong)),
        (16 + payload, 0, Err(Broken::Cut)),
        (16 + headers + 1, headers + 1, Err(Broken::TooLong)),
        (16 + headers, headers, Err(Broken::Cut)),
        (16, u32::MAX, Err(Broken::TooLong)),
        (15, 0, Err(Broken::Malformed)),
        (0, 0, Err(Broken::Malformed)),
        (20, 5, Err(Broken::Malformed)),
    ] {
        assert_eq!(decode(&[&prelude(total, length)]).1, expected, "{total}, {length}");
    }
}

/// Headers of every type are read over, and only texts are taken for the message's kind.
#[test]
fn headers_of_every_type_are_read_over() {
    let all = [
        header("true", 0, &[]),
        header("false", 1, &[]),
        header("byte", 2, &[1]),
        header("short", 3, &[1; 2]),
        header("int", 4, &[1; 4]),
        header("long", 5, &[1; 8]),
        header("bytes", 6, &[0, 2, 0xff, 0xfe]),
        header("time", 8, &[1; 8]),
        header("uuid", 9, &[1; 16]),
        header(":event-type", 6, &[0, 1, b'x']),
        text(":message-type", "event"),
        text(":event-type", "metadata"),
    ];
    let (messages, end) = decode(&[&honest(&all.concat(), b"{}")]);
    assert_eq!(end, Ok(()));
    assert_eq!(messages, [Message { name: "metadata".into(), payload: b"{}".to_vec() }]);
    for place in 0..all.len() - 1 {
        let unknown = [all[place].clone(), header("odd", 10, &[])].concat();
        assert_eq!(decode(&[&honest(&unknown, b"")]).1, Err(Broken::Malformed));
        let cut = &all[place][..all[place].len() - 1];
        assert_eq!(decode(&[&honest(cut, b"")]).1, Err(Broken::Malformed), "header {place}");
    }
}

/// An error that stands in headers alone is told like an exception; what says no kind is refused.
#[test]
fn errors_in_headers_are_exceptions() {
    let told = [
        text(":message-type", "error"),
        text(":error-code", "InternalFailure"),
        text(":error-message", "a \"b\"\n"),
    ];
    let (messages, _) = decode(&[&honest(&told.concat(), b"")]);
    let payload = br#"{"message":"a \"b\"\n"}"#.to_vec();
    assert_eq!(messages, [Message { name: "exception:InternalFailure".into(), payload }]);
    for headers in [vec![], text(":message-type", "event"), text(":message-type", "odd")] {
        assert_eq!(decode(&[&honest(&headers, b"")]).1, Err(Broken::Malformed));
    }
}

proptest! {
    /// Whatever comes, in whatever pieces: no panic, and the pieces change nothing.
    #[test]
    fn any_bytes_are_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..200) {
        let (one, other) = bytes.split_at(at.min(bytes.len()));
        prop_assert_eq!(decode(&[&bytes]), decode(&[one, other]));
    }

    /// What is encoded is decoded.
    #[test]
    fn messages_survive(
        said in prop::collection::vec(("[a-zA-Z]{1,40}", prop::collection::vec(any::<u8>(), 0..300)), 0..6),
        size in 1_usize..64,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (name, payload) in said {
            event(&name, &payload, &mut bytes);
            expected.push(Message { name, payload });
        }
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(decode(&pieces), (expected, Ok(())));
    }
}
