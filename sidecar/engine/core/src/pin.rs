//! Where state lies that calls refer to: an id that a provider gave goes down with a mark of the account
//! that keeps what it names, and comes back with it. So no store is needed, and a restart forgets
//! nothing. `resp_abc` of account `7f3k2m1q` is `resp_abc_pm7f3k2m1q` to the caller.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use pointsman_wire::form::Unreadable;
use pointsman_wire::portable;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::table::Model;
use crate::wire::Dialect;

/// Before an account's digits.
const MARK: &str = "_pm";
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Bytes of a mark.
const MARK_BYTES: usize = MARK.len() + size_of::<Account>();
/// What ids begin with, within their quotes, that name something kept.
const KEPT: [&[u8]; 9] = [
    b"\"resp_",
    b"\"rs_",
    b"\"conv_",
    b"\"file-",
    b"\"file_",
    b"\"batch_",
    b"\"msgbatch_",
    b"\"files/",
    b"\"cachedContents/",
];
/// Files of Google's are referred to by an address, which ends in the id.
const ADDRESS: (&[u8], &[u8]) = (b"\"https://", b"/files/");
/// Members that hold such ids in answers.
const HOLDERS: [&[u8]; 10] = [
    b"\"name\"",
    b"\"uri\"",
    b"\"id\"",
    b"\"item_id\"",
    b"\"previous_response_id\"",
    b"\"input_file_id\"",
    b"\"output_file_id\"",
    b"\"error_file_id\"",
    b"\"first_id\"",
    b"\"last_id\"",
];

/// Who keeps state: a provider's account, as its address and the key's place tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account([u8; 8]);

impl Account {
    /// The account that a model is called with.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let provider = &model.provider;
        let key = provider.credential.as_ref().map(|it| (&it.secret, &it.key));
        let way = provider.gateway.as_ref().map(|way| &way.audience);
        let pool = &model.pool.namespace;
        let told = format!("{:?} {} {key:?} {pool} {way:?}", provider.kind, provider.base_url);
        let mut digits = [0; 8];
        for (digit, byte) in digits.iter_mut().zip(Sha256::digest(told.as_bytes())) {
            *digit = DIGITS[usize::from(byte & 31)];
        }
        Self(digits)
    }

    /// The provider's own id, and who keeps what it names; `None`: the id bears no mark.
    #[must_use]
    pub fn parted(id: &str) -> Option<(&str, Self)> {
        let (own, mark) = id.split_at_checked(id.len().checked_sub(MARK_BYTES)?)?;
        let digits: [u8; 8] = mark.strip_prefix(MARK)?.as_bytes().try_into().ok()?;
        let ours = !own.is_empty() && digits.iter().all(|digit| DIGITS.contains(digit));
        ours.then_some((own, Self(digits)))
    }

    /// An id with the mark.
    #[must_use]
    pub fn marked(self, id: &str) -> String {
        let digits = self.0.map(char::from);
        [id, MARK].into_iter().flat_map(str::chars).chain(digits).collect()
    }

    /// An answer's bytes, whole JSON texts, with the mark on every id of what the provider keeps.
    #[must_use]
    pub fn mark(self, bytes: Bytes) -> Bytes {
        let mut places: Vec<usize> = Vec::new();
        for prefix in KEPT {
            let found = memmem::find_iter(&bytes, prefix).filter(|at| is_held(&bytes[..*at]));
            places.extend(found.filter_map(|at| end_of_id(&bytes, at + 1)));
        }
        let found = memmem::find_iter(&bytes, ADDRESS.0).filter(|at| is_held(&bytes[..*at]));
        let ends = found.filter_map(|at| Some((at, end_of_id(&bytes, at + 1)?)));
        let of_file =
            |(at, end): &(usize, usize)| memmem::find(&bytes[*at..*end], ADDRESS.1).is_some();
        places.extend(ends.filter(of_file).map(|(_, end)| end));
        if places.is_empty() {
            return bytes;
        }
        places.sort_unstable();
        let mut marked = BytesMut::with_capacity(bytes.len() + places.len() * MARK_BYTES);
        let mut from = 0;
        for at in places {
            marked.extend_from_slice(&bytes[from..at]);
            marked.extend_from_slice(MARK.as_bytes());
            marked.extend_from_slice(&self.0);
            from = at;
        }
        marked.extend_from_slice(&bytes[from..]);
        marked.freeze()
    }
}

/// Whether what ends here is a member's name that holds ids, and its colon.
fn is_held(before: &[u8]) -> bool {
    let name = before.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
    name.is_some_and(|name| HOLDERS.iter().any(|holder| name.ends_with(holder)))
}

/// Where the text that begins at `from` ends, if nothing in it needs an escape.
fn end_of_id(bytes: &[u8], from: usize) -> Option<usize> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(byte);
    let length = bytes.get(from..)?.iter().take_while(|byte| fits(byte)).count();
    (bytes.get(from + length) == Some(&b'"')).then_some(from + length)
}

/// What a request carries of former calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// It cannot pass unchanged: it holds marks, or what another maker signed.
    pub reworked: bool,
    /// Who keeps what it refers to.
    pub holder: Option<Account>,
    /// It refers to what is kept by another account besides.
    pub torn: bool,
    /// It refers to what somebody keeps, and does not say who.
    pub unmarked: bool,
}

impl Carried {
    /// Looks through a request for what its dialect may hold.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn of(dialect: Dialect, body: &[u8]) -> Result<Self, Unreadable> {
        const REFERS: [&[u8]; 3] =
            [MARK.as_bytes(), b"\"previous_response_id\"", b"\"conversation\""];
        const CACHES: [&[u8]; 3] = [MARK.as_bytes(), b"\"cachedContent\"", b"\"cached_content\""];
        let (signs, refers) = match dialect {
            Dialect::Messages => (&portable::SIGNS[..], &REFERS[..1]),
            Dialect::Responses => (&portable::SIGNS[..1], &REFERS[..]),
            Dialect::Gemini => (&[][..], &CACHES[..]),
            _ => (&portable::SIGNS[..1], &REFERS[..1]),
        };
        let holds = |word: &&[u8]| memmem::find(body, word).is_some();
        let mut carried = Self { reworked: signs.iter().any(holds), ..Self::default() };
        if refers.iter().any(holds) {
            let document = portable::document(body)?;
            carried.look(&document);
            let refers = match dialect {
                Dialect::Gemini => ["cachedContent", "cached_content"],
                _ => ["previous_response_id", "conversation"],
            };
            let refers =
                refers.iter().any(|name| document.get(name).is_some_and(|it| !it.is_null()));
            carried.unmarked = refers && carried.holder.is_none();
        }
        Ok(carried)
    }

    fn look(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.see(text),
            Value::Array(list) => list.iter().for_each(|one| self.look(one)),
            Value::Object(members) => {
                // Reasoning is not kept by who made it: it goes along, or is left out.
                let reasoning = members.get("type").is_some_and(|kind| kind == "reasoning");
                for (name, value) in members {
                    match value {
                        Value::String(id) if reasoning && name == "id" => {
                            self.reworked |= Account::parted(id).is_some();
                        }
                        value => self.look(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn see(&mut self, text: &str) {
        let Some((_, account)) = Account::parted(text).filter(|(own, _)| is_kept(own)) else {
            return;
        };
        self.reworked = true;
        self.torn |= self.holder.is_some_and(|holder| holder != account);
        self.holder = Some(account);
    }
}

/// Whether an id names something that providers keep; texts that only end like a mark do not.
fn is_kept(id: &str) -> bool {
    let id = id.as_bytes();
    KEPT.iter().any(|prefix| id.starts_with(&prefix[1..]))
        || (id.starts_with(&ADDRESS.0[1..]) && memmem::find(id, ADDRESS.1).is_some())
}

/// Takes the marks off a document, and tells what they said.
pub fn unmarked(document: &mut Value) -> Carried {
    let mut carried = Carried::default();
    carried.look(document);
    if carried.reworked {
        unmark(document);
    }
    carried
}

/// A request's body as this account is sent it: without marks, and without what only others understand.
/// `by_gateway`: what makers signed is left to the gateway, which knows whose model it calls.
///
/// # Errors
/// It is no JSON.
pub fn reworked(
    dialect: Dialect,
    body: &[u8],
    (to, by_gateway): (Account, bool),
) -> Result<Vec<u8>, Unreadable> {
    let mut document = portable::document(body)?;
    match dialect {
        Dialect::Chat if !by_gateway => portable::chat(&mut document),
        Dialect::Messages if !by_gateway => portable::messages(&mut document),
        Dialect::Responses if !by_gateway => portable::responses(&mut document),
        _ => {}
    }
    if dialect == Dialect::Responses {
        let theirs = |id: &str| Account::parted(id).is_some_and(|(_, account)| account != to);
        portable::reasoning(&mut document, |id| !theirs(id));
    }
    unmark(&mut document);
    Ok(document.to_string().into_bytes())
}

fn unmark(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((own, _)) = Account::parted(text).filter(|(own, _)| is_kept(own)) {
                text.truncate(own.len());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(unmark),
        Value::Object(members) => members.values_mut().for_each(unmark),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: Account = Account(*b"7f3k2m1q");
    const OTHER: Account = Account(*b"00000000");

    fn marked(text: &str) -> String {
        String::from_utf8(ONE.mark(Bytes::copy_from_slice(text.as_bytes())).to_vec()).unwrap()
    }

    /// Ids of what is kept bear the mark wherever they stand; the same letters in a text never do.
    #[test]
    fn ids_are_marked_and_texts_are_not() {
        let answer = r#"{"id": "resp_a","previous_response_id":"resp_b","output":[{"id":"rs_c"},{"id":"msg_d"}]}"#;
        let with = answer.replace("_a\"", "_a_pm7f3k2m1q\"").replace("_b\"", "_b_pm7f3k2m1q\"");
        assert_eq!(marked(answer), with.replace("_c\"", "_c_pm7f3k2m1q\""));
        for same in [
            r#"{"delta":"resp_a"}"#,
            r#"{"text":"\"id\":\"resp_a\""}"#,
            r#"{"id":"resp_\u0041"}"#,
            r#"{"id":"resp_"#,
        ] {
            assert_eq!(marked(same), same);
        }
    }

    /// A mark comes back byte for byte; what only looks like one is the provider's own.
    #[test]
    fn marks_come_back() {
        assert_eq!(Account::parted("resp_a_pm7f3k2m1q"), Some(("resp_a", ONE)));
        let twice = Account::parted("resp_a_pm7f3k2m1q_pm00000000").unwrap();
        assert_eq!(twice, ("resp_a_pm7f3k2m1q", OTHER), "a gateway's mark lies below a sidecar's");
        for none in
            ["", "_pm7f3k2m1q", "resp_a", "resp_pm7f3k2m1", "resp_a_pm7f3k2m1l", "é_pm7f3k2m"]
        {
            assert_eq!(Account::parted(none), None, "{none}");
        }
    }

    /// A request says who keeps what it refers to; reasoning binds nobody.
    #[test]
    fn requests_say_who_keeps_it() {
        let of =
            |body: Value| Carried::of(Dialect::Responses, body.to_string().as_bytes()).unwrap();
        assert_eq!(of(json!({"input": "resp_a"})), Carried::default());
        let held =
            of(json!({"previous_response_id": "resp_a_pm7f3k2m1q", "input": "a_pm7f3k2m1q"}));
        assert_eq!(held, Carried { reworked: true, holder: Some(ONE), ..Carried::default() });
        let reasoning = json!({"input": [{"type": "reasoning", "id": "rs_a_pm7f3k2m1q"}]});
        assert_eq!(of(reasoning), Carried { reworked: true, ..Carried::default() });
        assert!(of(json!({"previous_response_id": "resp_a"})).unmarked);
        assert!(!of(json!({"previous_response_id": null})).unmarked);
        let file = json!({"file_id": "file-b_pm00000000"});
        assert!(of(json!({"conversation": {"id": "conv_a_pm7f3k2m1q"}, "input": [file]})).torn);
    }

    /// What goes up has no marks; reasoning goes only to who made it.
    #[test]
    fn requests_go_up_unmarked() {
        let body = json!({"previous_response_id": "resp_a_pm7f3k2m1q", "x": 1.50, "input": [
            {"type": "reasoning", "id": "rs_a_pm7f3k2m1q"}, {"role": "user", "content": "hi_pm7f3k2m1q"},
        ]});
        let sent = |to| {
            let body = body.to_string();
            let sent = reworked(Dialect::Responses, body.as_bytes(), (to, false)).unwrap();
            serde_json::from_slice::<Value>(&sent).unwrap()
        };
        let own = sent(ONE);
        assert_eq!(
            (&own["previous_response_id"], &own["input"][0]["id"]),
            (&json!("resp_a"), &json!("rs_a"))
        );
        assert_eq!(own["input"][1]["content"], "hi_pm7f3k2m1q");
        assert_eq!(sent(OTHER)["input"].as_array().unwrap().len(), 1);
    }
    /// Signatures stay on the way to a gateway: the model behind it may be the one that wants them.
    #[test]
    fn gateways_get_signatures() {
        let call = json!({"id": "c__thought__s", "type": "function"});
        let body = json!({"messages": [{"role": "assistant", "tool_calls": [call]}]}).to_string();
        let sent = |by_gateway| {
            let sent = reworked(Dialect::Chat, body.as_bytes(), (ONE, by_gateway)).unwrap();
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            sent["messages"][0]["tool_calls"][0]["id"].clone()
        };
        assert_eq!((sent(true), sent(false)), (json!("c__thought__s"), json!("c")));
    }
}
