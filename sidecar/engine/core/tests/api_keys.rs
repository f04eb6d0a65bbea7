//! Callers of a gateway with API keys: who is let in, what of the request that changes, and how soon.
//! The keys and entries are those that `pointsman keys` is tested with (`tests/golden/api_keys`).

#![expect(clippy::unwrap_used, reason = "a test file: what cannot be made fails the test")]

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use pointsman_core::admission::{Gateway, Guest};
use pointsman_core::clock::{ManualClock, SystemClock};
use pointsman_core::config;
use pointsman_core::error::{CallerNo, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cases {
    keys: Vec<Key>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    key: String,
    well_formed: bool,
    id: Option<String>,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    what: String,
    accepted: bool,
    id: String,
    key: String,
    entry: Value,
}

fn cases() -> Cases {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden/api_keys/cases.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A folder of keys and who is let in by it.
struct Gate {
    folder: PathBuf,
    gateway: Gateway,
    clock: ManualClock,
}

impl Gate {
    fn new(name: &str) -> Self {
        let secrets =
            std::env::temp_dir().join(format!("pointsman-keys-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&secrets));
        let folder = secrets.join("pointsman-api-keys");
        std::fs::create_dir_all(&folder).unwrap();
        let document = serde_json::json!({
            "data": {"address": "127.0.0.1:0"},
            "admin": {"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"},
            "gateway": {"callers": "ApiKeys", "plain": true},
            "secretsDir": secrets,
        });
        let config = config::Config::read(document.to_string().as_bytes()).unwrap();
        let gateway =
            Gateway::new(config.gateway.as_ref().unwrap(), &config, Arc::new(SystemClock)).unwrap();
        Self { folder, gateway, clock: ManualClock::new(1_795_302_000_000) }
    }

    fn put(&self, id: &str, entry: &Value) {
        let draft = self.folder.join(format!(".{id}"));
        std::fs::write(&draft, entry.to_string()).unwrap();
        std::fs::rename(draft, self.folder.join(id)).unwrap();
        self.gateway.look();
    }

    fn ask(&self, headers: &mut HeaderMap) -> Result<Guest, CallerNo> {
        self.gateway.admit(headers, &self.clock).map_err(|refusal| match refusal {
            Refusal::Caller(no) => no,
            other => unreachable!("{other:?}"),
        })
    }

    fn with(&self, key: &str) -> Result<Guest, CallerNo> {
        self.ask(&mut bearing("authorization", &format!("Bearer {key}")))
    }
}

fn bearing(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap_or_else(|_| "?".parse().unwrap()));
    headers
}

fn plain(key: &Key) -> (String, Value) {
    let id = key.id.clone().unwrap();
    let entry =
        json!({"id": id, "hash": key.hash, "name": "ci", "created": "2026-11-22T10:00:00Z"});
    (id, entry)
}

#[test]
fn i3_keys_are_known_whole_and_mistyped_ones_told() {
    let gate = Gate::new("golden");
    let (good, bad): (Vec<Key>, Vec<Key>) = cases().keys.into_iter().partition(|it| it.well_formed);
    for key in &good {
        assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::Unknown, "{}", key.key);
        let (id, entry) = plain(key);
        gate.put(&id, &entry);
        assert!(gate.with(&key.key).is_ok(), "{}", key.key);
    }
    for key in bad {
        // Spaces around a header's value are nobody's.
        if key.key.trim() == key.key {
            let missing = key.key.is_empty();
            let no = gate.with(&key.key).unwrap_err();
            assert_eq!(no, if missing { CallerNo::Missing } else { CallerNo::Malformed });
        }
    }
}

#[test]
fn i3_entries_are_read_or_left_out_as_the_writer_means_them() {
    for case in cases().entries {
        let gate = Gate::new("entries");
        gate.put(&case.id, &case.entry);
        assert_eq!(gate.with(&case.key).is_ok(), case.accepted, "{}", case.what);
        let refused = &gate.gateway.state(true)["apiKeys"]["refused"];
        assert_eq!(refused.get(&case.id).is_none(), case.accepted, "{}", case.what);
    }
}

#[test]
fn a_key_is_taken_where_each_sdk_puts_it_and_goes_no_further() {
    let gate = Gate::new("carriers");
    let key = cases().keys.swap_remove(0);
    let (id, mut entry) = plain(&key);
    entry["team"] = json!("build");
    gate.put(&id, &entry);
    for (name, value) in [
        ("authorization", format!("Bearer {}", key.key)),
        ("authorization", format!("bearer   {}", key.key)),
        ("x-api-key", key.key.clone()),
        ("api-key", key.key.clone()),
        ("x-goog-api-key", key.key.clone()),
    ] {
        let mut headers = bearing(name, &value);
        headers.insert(
            "x-api-key",
            headers.get("x-api-key").cloned().unwrap_or("sk-own".parse().unwrap()),
        );
        headers.insert("x-pointsman-key", "somebody-else".parse().unwrap());
        headers.insert("x-pointsman-team", "somebody-else".parse().unwrap());
        assert!(gate.ask(&mut headers).is_ok(), "{name}");
        assert_eq!(
            (&headers["x-pointsman-key"], &headers["x-pointsman-team"]),
            (&"ci".parse().unwrap(), &"build".parse().unwrap())
        );
        assert_eq!(headers.len(), 2, "no key of the caller's is left: {headers:?}");
    }
    assert_eq!(gate.ask(&mut HeaderMap::new()).unwrap_err(), CallerNo::Missing);
    assert_eq!(gate.with("sk-own").unwrap_err(), CallerNo::Malformed);
}

#[test]
fn a_wrong_secret_looks_like_an_unknown_id() {
    let gate = Gate::new("secret");
    let mut keys = cases().keys;
    let (known, other) = (keys.swap_remove(0), keys.swap_remove(1));
    let (id, mut entry) = plain(&known);
    entry["hash"] = json!(other.hash);
    entry["disabled"] = json!(true);
    gate.put(&id, &entry);
    assert_eq!(gate.with(&known.key).unwrap_err(), CallerNo::Unknown, "nor that it is disabled");
    assert_eq!(gate.with(&other.key).unwrap_err(), CallerNo::Unknown);
}

#[test]
fn expiry_shutting_out_and_revocation_act_at_once() {
    let gate = Gate::new("ends");
    let key = cases().keys.swap_remove(0);
    let (id, entry) = plain(&key);
    let mut ends = entry.clone();
    ends["expires"] = json!("2026-11-21T23:00:01Z");
    gate.put(&id, &ends);
    assert!(gate.with(&key.key).is_ok());
    gate.clock.advance_ms(1_000);
    assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::Expired);
    let mut disabled = entry.clone();
    disabled["disabled"] = json!(true);
    gate.put(&id, &disabled);
    assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::Disabled);
    gate.put(&id, &entry);
    assert!(gate.with(&key.key).is_ok());
    std::fs::remove_file(gate.folder.join(&id)).unwrap();
    gate.gateway.look();
    assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::Unknown);
}

#[test]
fn limits_hold_over_changes_and_places_come_back() {
    let gate = Gate::new("limits");
    let key = cases().keys.swap_remove(0);
    let (id, mut entry) = plain(&key);
    entry["maxInFlight"] = json!(1);
    entry["requestsPerMinute"] = json!(2);
    gate.put(&id, &entry);
    let first = gate.with(&key.key).unwrap();
    assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::InFlight { most: 1 });
    entry["team"] = json!("new");
    gate.put(&id, &entry);
    assert_eq!(gate.with(&key.key).unwrap_err(), CallerNo::InFlight { most: 1 });
    drop(first);
    drop(gate.with(&key.key).unwrap());
    let no = gate.with(&key.key).unwrap_err();
    assert_eq!(no, CallerNo::TooFast { per_minute: 2, wait_s: 30 });
    gate.clock.advance_ms(30_000);
    assert!(gate.with(&key.key).is_ok());
}

#[test]
fn models_are_those_that_the_key_names() {
    let gate = Gate::new("models");
    let key = cases().keys.swap_remove(0);
    let (id, mut entry) = plain(&key);
    entry["models"] = json!(["gpt-*", "auto"]);
    gate.put(&id, &entry);
    let caller = gate.with(&key.key).unwrap();
    assert!(caller.may_ask("gpt-mini") && caller.may_ask("auto"));
    assert!(!caller.may_ask("main/gpt-mini") && !caller.may_ask("autos"));
    entry["models"] = json!([]);
    gate.put(&id, &entry);
    assert!(!gate.with(&key.key).unwrap().may_ask("auto"), "none is none");
}

#[test]
fn the_kubelets_swap_is_seen_and_a_secret_that_is_gone_lets_nobody_in() {
    let gate = Gate::new("kubelet");
    let mut keys = cases().keys;
    let (one, two) = (keys.swap_remove(0), keys.swap_remove(1));
    for (turn, key) in [&one, &two].into_iter().enumerate() {
        let (id, entry) = plain(key);
        let version = gate.folder.join(format!("..version-{turn}"));
        std::fs::create_dir_all(&version).unwrap();
        std::fs::write(version.join(&id), entry.to_string()).unwrap();
        let fresh = gate.folder.join("..data_tmp");
        std::os::unix::fs::symlink(&version, &fresh).unwrap();
        std::fs::rename(&fresh, gate.folder.join("..data")).unwrap();
        std::os::unix::fs::symlink(format!("..data/{id}"), gate.folder.join(&id)).unwrap();
        gate.gateway.look();
        assert!(gate.with(&key.key).is_ok());
    }
    // The first one's link leads nowhere now.
    assert_eq!(gate.with(&one.key).unwrap_err(), CallerNo::Unknown);
    assert!(!format!("{:?}", gate.gateway).contains(&two.key), "I7");
    std::fs::remove_dir_all(&gate.folder).unwrap();
    gate.gateway.look();
    assert_eq!(gate.with(&two.key).unwrap_err(), CallerNo::Unknown);
    assert_eq!(gate.gateway.state(true)["apiKeys"]["keys"], 0);
}
