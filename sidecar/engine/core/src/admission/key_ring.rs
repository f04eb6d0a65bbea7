//! The API keys of a mounted Secret: one file a key, read again when the folder changes and swapped as
//! a whole, so that a request takes no lock. What cannot be read is left out and told by its name.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::api_key::{Admitted, ApiKey, Fault, Shown};
use super::pace::Pace;
use crate::clock::Clock;
use crate::error::CallerNo;
use crate::headers;
use crate::limits;

/// The keys now, and where they come from.
#[derive(Debug)]
pub struct KeyRing {
    folder: PathBuf,
    keys: ArcSwap<Keys>,
    stamp: Mutex<Option<Stamp>>,
}

#[derive(Debug, Default)]
struct Keys {
    by_id: HashMap<String, (Arc<ApiKey>, Arc<Pace>)>,
    faults: BTreeMap<String, Fault>,
    /// Why the folder itself cannot be read.
    trouble: Option<ErrorKind>,
}

/// Tells one content of the folder from another: where the kubelet's link leads, else its files.
#[derive(Debug, PartialEq, Eq)]
enum Stamp {
    Link(PathBuf),
    Files(Vec<(String, u64, u64, Option<SystemTime>)>),
}

impl KeyRing {
    /// The keys of a folder; one that is not there holds none.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let ring =
            Self { folder: folder.to_owned(), keys: ArcSwap::default(), stamp: Mutex::default() };
        ring.look();
        ring
    }

    /// Reads the folder again where it has changed; where that fails for a while, the keys stay.
    pub fn look(&self) {
        let found = stamp_of(&self.folder);
        let mut stamp = self.stamp.lock();
        match found {
            Ok(found) if stamp.as_ref() == Some(&found) => {}
            Ok(found) => {
                self.keys.store(Arc::new(Keys::of(&self.folder, &self.keys.load())));
                *stamp = Some(found);
            }
            Err(error) => {
                *stamp = None;
                let before = self.keys.load();
                let trouble = Some(error.kind());
                let gone = error.kind() == ErrorKind::NotFound;
                let (by_id, faults) = (before.by_id.clone(), before.faults.clone());
                let keys = Keys { by_id, faults, trouble };
                let none = Keys { trouble, ..Keys::default() };
                self.keys.store(Arc::new(if gone { none } else { keys }));
            }
        }
    }

    /// Lets the owner of the key in that the headers show.
    ///
    /// # Errors
    /// Why not, in words that do not tell whether an id exists.
    pub(super) fn admit(
        &self,
        headers: &mut HeaderMap,
        clock: &dyn Clock,
    ) -> Result<Admitted, CallerNo> {
        let admitted = self.known(shown(headers)?, clock)?;
        for carrier in headers::API_KEYS {
            headers.remove(carrier);
        }
        headers.insert(headers::KEY, admitted.key.name.clone());
        if let Some(team) = &admitted.key.team {
            headers.insert(headers::TEAM, team.clone());
        }
        Ok(admitted)
    }

    fn known(&self, text: &str, clock: &dyn Clock) -> Result<Admitted, CallerNo> {
        let shown = Shown::read(text).ok_or(CallerNo::Malformed)?;
        let keys = self.keys.load();
        let (key, pace) = keys.by_id.get(shown.id).ok_or(CallerNo::Unknown)?;
        if !key.is(&shown) {
            return Err(CallerNo::Unknown);
        }
        Admitted::by(key, pace, clock.wall_ms(), clock.boot_us())
    }

    /// How many keys there are, and what is left out.
    #[must_use]
    pub fn state(&self) -> Value {
        let keys = self.keys.load();
        let faults =
            keys.faults.iter().map(|(name, fault)| (name.clone(), json!(fault.to_string())));
        json!({
            "keys": keys.by_id.len(),
            "refused": faults.collect::<serde_json::Map<_, _>>(),
            "folder": keys.trouble.map_or_else(|| "ok".to_owned(), |trouble| trouble.to_string()),
        })
    }
}

impl Keys {
    /// What the folder holds; limits go on counting for keys that stay.
    fn of(folder: &Path, before: &Self) -> Self {
        let mut keys = Self::default();
        for name in names(folder).unwrap_or_default() {
            let read = if keys.by_id.len() < limits::API_KEYS {
                read_entry(folder, &name)
            } else {
                Err(Fault(format!("more than {} keys; delete some", limits::API_KEYS)))
            };
            match read {
                Ok(key) => {
                    let pace = before.by_id.get(&name).map(|(_, pace)| pace.clone());
                    keys.by_id.insert(name, (Arc::new(key), pace.unwrap_or_default()));
                }
                Err(fault) => drop(keys.faults.insert(name, fault)),
            }
        }
        keys
    }
}

fn read_entry(folder: &Path, name: &str) -> Result<ApiKey, Fault> {
    let path = folder.join(name);
    let unreadable = |error: std::io::Error| Fault(format!("cannot be read: {}", error.kind()));
    if fs::metadata(&path).map_err(unreadable)?.len() > limits::API_KEY_ENTRY_BYTES {
        return Err(Fault(format!("larger than {} bytes", limits::API_KEY_ENTRY_BYTES)));
    }
    ApiKey::read(name, &fs::read(path).map_err(unreadable)?)
}

/// The entries of the folder, sorted; what begins with a dot is the kubelet's or a draft.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn stamp_of(folder: &Path) -> std::io::Result<Stamp> {
    if let Ok(target) = fs::read_link(folder.join("..data")) {
        return Ok(Stamp::Link(target));
    }
    let mut files = Vec::new();
    for name in names(folder)? {
        // One that is gone by now changes the list the next time.
        if let Ok(metadata) = fs::metadata(folder.join(&name)) {
            files.push((name, metadata.ino(), metadata.len(), metadata.modified().ok()));
        }
    }
    Ok(Stamp::Files(files))
}

/// The key in the headers: where the formats' own SDKs put it. Another provider's key beside it, from
/// an SDK's environment, is passed over.
fn shown(headers: &HeaderMap) -> Result<&str, CallerNo> {
    let mut other = false;
    for carrier in headers::API_KEYS {
        let Some(value) = headers.get(&carrier) else { continue };
        let text = value.to_str().unwrap_or("?").trim();
        let text = match text.split_at_checked(6) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
            _ => text,
        };
        if text.starts_with("pmk_") {
            return Ok(text);
        }
        other |= !text.is_empty();
    }
    Err(if other { CallerNo::Malformed } else { CallerNo::Missing })
}
