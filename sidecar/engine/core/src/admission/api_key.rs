//! One API key: how it looks (`pmk_<id>_<secret><checksum>`), what its entry says, who is let in by it.
//! An entry holds a hash only; an entry that says what this version does not know is refused, because
//! it may forbid something.

use std::sync::Arc;

use flate2::Crc;
use http::HeaderValue;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Pace;
use crate::error::CallerNo;
use crate::ledger::instant::unix_ms;
use crate::limits;
use crate::rules::Glob;

const PREFIX: &str = "pmk_";
const ID_BYTES: usize = 10;
/// 32 random characters of 62, 190 bits, and six of checksum.
const SECRET_BYTES: usize = 38;
const CHECKSUM_BYTES: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SHA-256 of a whole key.
pub(super) type Hash = [u8; 32];

/// A key that may be known: its id and the hash of all of it.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) id: &'a str,
    pub(super) hash: Hash,
}

impl<'a> Shown<'a> {
    /// None where the text is no key of ours, or was mistyped.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let plain = |part: &str| part.bytes().all(|it| it.is_ascii_alphanumeric());
        if id.len() != ID_BYTES || secret.len() != SECRET_BYTES || !plain(id) || !plain(secret) {
            return None;
        }
        let (checked, checksum) = text.split_at_checked(text.len() - CHECKSUM_BYTES)?;
        let right = checksum_of(checked).as_slice() == checksum.as_bytes();
        right.then(|| Self { id, hash: Sha256::digest(text).into() })
    }
}

/// Whether a text is a whole API key without a typing mistake; says nothing of whether it is known.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    Shown::read(text).is_some()
}

/// CRC-32 in six digits of base 62.
fn checksum_of(text: &str) -> [u8; CHECKSUM_BYTES] {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    let mut rest = crc.sum() as usize;
    let mut digits = [0; CHECKSUM_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[rest % DIGITS.len()];
        rest /= DIGITS.len();
    }
    digits
}

/// Why an entry is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub(super) String);

/// An entry as it is stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    id: String,
    hash: String,
    name: String,
    #[serde(rename = "created")]
    _created: String,
    expires: Option<String>,
    models: Option<Vec<String>>,
    team: Option<String>,
    requests_per_minute: Option<u32>,
    max_in_flight: Option<u32>,
    #[serde(default)]
    disabled: bool,
}

/// A known key.
#[derive(Debug)]
pub struct ApiKey {
    id: String,
    hash: Hash,
    /// Attribution `key`.
    pub(super) name: HeaderValue,
    /// Attribution `team`; absent: as the caller says.
    pub(super) team: Option<HeaderValue>,
    expires_ms: Option<i64>,
    models: Option<Vec<Glob>>,
    per_minute: Option<u32>,
    most_in_flight: u32,
    disabled: bool,
}

impl ApiKey {
    /// Reads the entry called `id`.
    ///
    /// # Errors
    /// It is no entry, is called otherwise, or says what this version does not know.
    pub fn read(id: &str, entry: &[u8]) -> Result<Self, Fault> {
        let fault = |what: &str| Fault(what.to_owned());
        // The library's message may repeat the text that it stumbles over.
        let entry: Entry = serde_json::from_slice(entry).map_err(|error| {
            Fault(format!("no readable entry of an API key (line {})", error.line()))
        })?;
        if entry.id != id {
            return Err(fault("its `id` is not the entry's name"));
        }
        let hash = entry.hash.strip_prefix("sha256:").and_then(hash_of);
        let hash = hash.ok_or_else(|| fault("its `hash` is not sha256:…"))?;
        let expires_ms = match entry.expires.as_deref() {
            None => None,
            Some(text) => {
                Some(unix_ms(text).ok_or_else(|| fault("its `expires` is not RFC 3339"))?)
            }
        };
        let name = label(&entry.name).ok_or_else(|| fault("its `name` is no short text"))?;
        let team = match entry.team.as_deref() {
            None => None,
            Some(team) => Some(label(team).ok_or_else(|| fault("its `team` is no short text"))?),
        };
        if entry.requests_per_minute == Some(0) || entry.max_in_flight == Some(0) {
            return Err(fault("its limits are not above 0; `disabled` shuts a key out"));
        }
        Ok(Self {
            id: entry.id,
            hash,
            name,
            team,
            expires_ms,
            models: entry.models.map(|globs| globs.iter().map(|glob| Glob::new(glob)).collect()),
            per_minute: entry.requests_per_minute,
            most_in_flight: entry.max_in_flight.unwrap_or(u32::MAX),
            disabled: entry.disabled,
        })
    }

    /// The entry's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this is the key that was shown; takes as long whatever the answer.
    pub(super) fn is(&self, shown: &Shown<'_>) -> bool {
        self.hash.ct_eq(&shown.hash).into()
    }
}

/// Two hexadecimal digits a byte.
fn hash_of(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn label(text: &str) -> Option<HeaderValue> {
    let short = !text.is_empty() && text.len() <= limits::LABEL_BYTES && text.trim() == text;
    let value = short.then(|| HeaderValue::from_str(text).ok())??;
    value.to_str().is_ok().then_some(value)
}

/// A caller that showed a key and holds one of its places in flight.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) key: Arc<ApiKey>,
    pace: Arc<Pace>,
}

impl Admitted {
    /// Lets the owner of a key in, as far as its entry allows now.
    pub(super) fn by(
        key: &Arc<ApiKey>,
        pace: &Arc<Pace>,
        wall_ms: i64,
        boot_us: u64,
    ) -> Result<Self, CallerNo> {
        if key.disabled {
            return Err(CallerNo::Disabled);
        }
        if key.expires_ms.is_some_and(|expires_ms| wall_ms >= expires_ms) {
            return Err(CallerNo::Expired);
        }
        if !pace.enter(key.most_in_flight) {
            return Err(CallerNo::InFlight { most: key.most_in_flight });
        }
        let admitted = Self { key: key.clone(), pace: pace.clone() };
        if let Some(per_minute) = key.per_minute {
            pace.take(per_minute, boot_us).map_err(|wait_us| CallerNo::TooFast {
                per_minute,
                wait_s: wait_us.div_ceil(1_000_000),
            })?;
        }
        Ok(admitted)
    }

    pub(super) fn may_ask(&self, model: &str) -> bool {
        let Some(models) = &self.key.models else { return true };
        models.iter().any(|glob| glob.matches(model))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.pace.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "pmk_7f3k9q2m4x_0123456789abcdefghijklmnopqrstuv";

    fn whole() -> String {
        format!("{KEY}{}", String::from_utf8_lossy(&checksum_of(KEY)))
    }

    #[test]
    fn entries_that_cannot_be_trusted_are_refused_without_repeating_them() {
        let good = format!(
            r#"{{"id":"7f3k9q2m4x","hash":"sha256:{}","name":"ci","created":"2026-11-22T00:00:00Z"}}"#,
            "ab".repeat(32)
        );
        assert_eq!(ApiKey::read("7f3k9q2m4x", good.as_bytes()).unwrap().id(), "7f3k9q2m4x");
        for (from, to) in [
            (r#""name":"ci""#, r#""name":"""#),
            (r#""name":"ci""#, r#""name":"c\ni""#),
            ("sha256:ab", "sha256:+b"),
            ("sha256:", "sha1:"),
            (r#""created""#, r#""regions":["eu"],"created""#),
            (r#""created""#, r#""expires":"tomorrow","created""#),
            (r#""created""#, r#""maxInFlight":0,"created""#),
            ("7f3k9q2m4x", "0000000000"),
            ("{", "pmk_secret"),
        ] {
            let fault = ApiKey::read("7f3k9q2m4x", good.replacen(from, to, 1).as_bytes());
            let fault = fault.expect_err(to).to_string();
            assert!(!fault.contains("pmk_") && !fault.contains("ci"), "{fault}");
        }
    }

    proptest! {
        /// A key with one character changed, or one lost, is told from a key before anybody looks it up.
        #[test]
        fn typing_mistakes_are_noticed(at in 0_usize..53, to in "[0-9A-Za-z_]") {
            let key = whole();
            prop_assert_eq!(key.len(), 53);
            prop_assert!(is_well_formed(&key));
            let mut changed = key.clone();
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(is_well_formed(&changed), changed == key);
            let mut shorter = key;
            shorter.remove(at);
            prop_assert!(!is_well_formed(&shorter));
        }
    }
}
