//! Compressed answers are undone within bounds at any split; cut, corrupt and swollen ones are failures.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write;

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use pointsman_core::decode::{DecodeFault, Decoder};
use pointsman_core::error::Class;
use pointsman_core::limits;
use proptest::prelude::*;

const TEXT: &[u8] = include_bytes!("streams/openai_text_usage.sse");

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (CONTENT_ENCODING, value.parse().unwrap())).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn raw(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn named(text: &[u8]) -> Vec<u8> {
    let builder = GzBuilder::new().filename("answer").comment("from a server").extra(vec![1, 2, 3]);
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn decode<'a>(
    encoding: &str,
    limit: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, DecodeFault> {
    let mut decoder = Decoder::of(&headers(&[encoding]), limit)?.unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&decoder.push(piece)?);
    }
    decoder.finish().map(|()| out)
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip(TEXT)),
        ("x-gzip", named(TEXT)),
        ("gzip", [gzip(&TEXT[..100]), gzip(&TEXT[100..])].concat()),
        ("deflate", zlib(TEXT)),
        ("Deflate", raw(TEXT)),
    ]
}

/// gzip (with names, with several members) and both kinds of deflate give the text at every split.
#[test]
fn decodes_at_every_split() {
    for (encoding, body) in samples() {
        for at in 0..=body.len() {
            let (a, b) = body.split_at(at);
            let text = decode(encoding, limits::PLAIN_ANSWER_BYTES, [a, b]);
            assert!(text.as_deref() == Ok(TEXT), "{encoding} split at {at}: {:?}", text.err());
        }
        let bytes = decode(encoding, limits::PLAIN_ANSWER_BYTES, body.chunks(1));
        assert!(bytes.as_deref() == Ok(TEXT), "{encoding} byte by byte");
    }
}

/// Cut at every byte, a compressed answer is truncated, but between two gzip members, where the text is.
#[test]
fn cut_at_every_byte_is_noticed() {
    let first_member = gzip(&TEXT[..100]).len();
    for (index, (encoding, body)) in samples().into_iter().enumerate() {
        for cut in 0..body.len() {
            let text = decode(encoding, limits::PLAIN_ANSWER_BYTES, [&body[..cut]]);
            if index == 2 && cut == first_member {
                assert_eq!(text.unwrap(), &TEXT[..100]);
            } else {
                assert_eq!(text, Err(DecodeFault::Truncated), "{encoding} cut at {cut}");
            }
        }
    }
}

/// A flushed piece of a stream comes out at once, before the next one arrives.
#[test]
fn streams_do_not_wait() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut decoder =
        Decoder::of(&headers(&["gzip"]), limits::STREAM_DECODED_BYTES).unwrap().unwrap();
    for event in ["data: {\"a\":1}\n\n", "data: {\"b\":2}\n\n"] {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        let piece = std::mem::take(encoder.get_mut());
        assert_eq!(decoder.push(&piece).unwrap(), event);
    }
}

/// Bombs are stopped by the ratio and by the limit, long before they are large.
#[test]
fn bombs_are_stopped() {
    let zeros = vec![0_u8; 32 << 20];
    for (encoding, bomb) in [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros))] {
        let limit = usize::MAX;
        assert_eq!(decode(encoding, limit, bomb.chunks(1000)), Err(DecodeFault::TooLarge));
    }
    assert_eq!(decode("gzip", 1000, [&gzip(TEXT)[..]]), Err(DecodeFault::TooLarge));
    assert!(decode("gzip", TEXT.len(), [&gzip(TEXT)[..]]).is_ok());
}

/// What says gzip and is not, a wrong checksum and a header without end are corrupt.
#[test]
fn corruption_is_noticed() {
    let limit = limits::PLAIN_ANSWER_BYTES;
    assert_eq!(decode("gzip", limit, [&b"{\"choices\":[]}"[..]]), Err(DecodeFault::Corrupt));
    let mut body = gzip(TEXT);
    let crc = body.len() - 8;
    body[crc] ^= 1;
    assert_eq!(decode("gzip", limit, [&body[..]]), Err(DecodeFault::Corrupt));
    let endless = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &[b'n'; 5000]].concat();
    assert_eq!(decode("gzip", limit, [&endless[..]]), Err(DecodeFault::Corrupt));
}

/// Identity needs no decoder; unknown and stacked encodings are failures of the provider.
#[test]
fn knows_its_encodings() {
    let of = |values: &[&str]| Decoder::of(&headers(values), 1).map(|decoder| decoder.is_some());
    for none in [&[][..], &["identity"], &[""], &["identity, Identity"]] {
        assert_eq!(of(none), Ok(false), "{none:?}");
    }
    assert_eq!(of(&["GZIP"]), Ok(true));
    assert_eq!(of(&["identity", "deflate"]), Ok(true));
    for unknown in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "deflate"], &["gz ip"]] {
        assert_eq!(of(unknown), Err(DecodeFault::UnknownEncoding), "{unknown:?}");
    }
    assert_eq!(DecodeFault::UnknownEncoding.class(false), Class::Server);
    assert_eq!(DecodeFault::Truncated.class(false), Class::TruncatedEarly);
    assert_eq!(DecodeFault::Corrupt.class(true), Class::MidStream);
}

proptest! {
    /// Whatever arrives, nothing panics, and any text survives the round at any split.
    #[test]
    fn any_text_any_split(
        text in proptest::collection::vec(any::<u8>(), 0..5000),
        size in 1..600_usize,
        junk in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for (encoding, body) in [("gzip", gzip(&text)), ("deflate", zlib(&text))] {
            let round = decode(encoding, 1 << 20, body.chunks(size));
            prop_assert_eq!(round.as_deref(), Ok(&text[..]));
            let _ = decode(encoding, 1 << 20, junk.chunks(size));
            let mut torn = body;
            let at = torn.len() / 2;
            torn.splice(at..at, junk.iter().copied());
            let _ = decode(encoding, 1 << 20, torn.chunks(size));
        }
    }
}
