//! Ids of tool calls, `[a-zA-Z0-9_-]+` in this dialect, and what they carry.

use std::borrow::Cow;
use std::fmt::Write;

/// Between a call's id and the signature that another provider wants back with the call (Gemini's
/// `thoughtSignature`). Clients return ids as they were and may drop members that they do not know.
const SIGNATURE: &str = "__thought__";

/// An id in the dialect's alphabet; what is outside becomes `_`. An empty one stays empty.
pub(super) fn legal(id: &str) -> Cow<'_, str> {
    if id.bytes().all(fits) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|c| if c.is_ascii() && fits(c as u8) { c } else { '_' }).collect())
}

/// The id that a client sees: the call's own, or one made of `seed` and the call's place.
pub(super) fn shown<'a>(
    id: &'a str,
    signature: Option<&str>,
    seed: &str,
    place: usize,
) -> Cow<'a, str> {
    let own = if id.is_empty() { format!("toolu_{seed}_{place}").into() } else { legal(id) };
    let Some(signature) = signature else { return own };
    let mut whole = own.into_owned();
    whole.push_str(SIGNATURE);
    for byte in signature.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            whole.push(char::from(byte));
        } else {
            let _ = write!(whole, "_{byte:02x}"); // writing to a String cannot fail
        }
    }
    whole.into()
}

/// The call's own id, and the signature that [`shown`] put behind it.
pub(super) fn parted(id: String) -> (String, Option<String>) {
    let Some((own, carried)) = id.split_once(SIGNATURE) else { return (id, None) };
    match decoded(carried) {
        Some(signature) => (own.to_owned(), Some(signature)),
        None => (id, None),
    }
}

fn decoded(carried: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(carried.len());
    let mut rest = carried.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'_' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Whether a byte may stand in an id or a tool's name.
pub(super) const fn fits(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of other providers come out legal; legal ones are not copied.
    #[test]
    fn ids_are_made_legal() {
        assert!(matches!(legal("call_aZ-9"), Cow::Borrowed("call_aZ-9")));
        assert_eq!(legal("functions.größe:0"), "functions_gr__e_0");
        assert_eq!(shown("", None, "7f", 2), "toolu_7f_2");
    }

    /// A signature rides on an id, in its alphabet, and comes back byte-exact.
    #[test]
    fn a_signature_rides_on_the_id() {
        let signature = "aB+/9==_-é\u{0}";
        let id = shown("call_1", Some(signature), "x", 0).into_owned();
        assert!(id.bytes().all(fits), "{id}");
        assert_eq!(parted(id), ("call_1".into(), Some(signature.into())));
        let strange = "a__thought___zz".to_owned();
        assert_eq!(parted(strange.clone()), (strange, None));
    }
}
