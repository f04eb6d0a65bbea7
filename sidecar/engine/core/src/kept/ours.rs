//! Addresses in answers that SDKs go on to: they lead to the provider itself, and must lead back to us.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::Value;

use super::Kept;
use crate::pin::Account;

/// Where batches are, on Anthropic's surface and ours.
const BATCHES: &str = "/v1/messages/batches/";

/// An answer about Anthropic's batches with `results_url` below our own address: SDKs join it to their base
/// URL. It is read as it comes from `Account::mark`.
#[must_use]
pub fn results_at_ours(account: Account, body: Bytes) -> Bytes {
    let Ok(mut document) = serde_json::from_slice::<Value>(&body) else { return body };
    let mut changed = redirect(account, &mut document);
    for batch in document.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
        changed |= redirect(account, batch);
    }
    if changed { document.to_string().into() } else { body }
}

fn redirect(account: Account, batch: &mut Value) -> bool {
    let Some(Value::String(url)) = batch.get_mut("results_url") else { return false };
    let Some(id) = url.split_once(BATCHES).and_then(|(_, rest)| rest.strip_suffix("/results"))
    else {
        return false;
    };
    let ours = format!("{BATCHES}{}/results", account.marked(id));
    *url = ours;
    true
}

impl Kept {
    /// Where Google wants an upload's bytes, as an address of ours; `None`: it cannot be one.
    #[must_use]
    pub fn upload_at(
        &self,
        account: Account,
        theirs: &HeaderValue,
        secure: bool,
    ) -> Option<HeaderValue> {
        upload_at_ours(account, theirs.to_str().ok()?, (secure, self.host.as_deref()?))
    }
}

/// The upload's own id bears the account's mark, and leads back.
#[must_use]
pub fn upload_at_ours(
    account: Account,
    theirs: &str,
    (secure, host): (bool, &str),
) -> Option<HeaderValue> {
    let (_, query) = theirs.split_once('?')?;
    let mut found = false;
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some(("upload_id", id)) => {
            found = true;
            format!("upload_id={}", account.marked(id))
        }
        _ => pair.to_owned(),
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    let scheme = if secure { "https" } else { "http" };
    let ours = format!("{scheme}://{host}/upload/v1beta/files?{query}");
    HeaderValue::from_str(&ours).ok().filter(|_| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SDKs go on to is ours, with the mark; other answers stay byte for byte.
    #[test]
    fn addresses_lead_back_to_us() {
        let account = Account::parted("x_pm7f3k2m1q").unwrap().1;
        let of = |body: &'static str| results_at_ours(account, Bytes::from_static(body.as_bytes()));
        let url = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results";
        let body = format!(r#"{{"id":"msgbatch_1","results_url":"{url}"}}"#);
        let told = results_at_ours(account, Bytes::from(body));
        assert_eq!(
            told,
            r#"{"id":"msgbatch_1","results_url":"/v1/messages/batches/msgbatch_1_pm7f3k2m1q/results"}"#
        );
        let same = r#"{"id": "msgbatch_1", "results_url": null}"#;
        assert_eq!(of(same), same);
        let theirs = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=Ab-1&upload_protocol=resumable";
        let ours = upload_at_ours(account, theirs, (false, "127.0.0.1:4617")).unwrap();
        assert_eq!(
            ours,
            "http://127.0.0.1:4617/upload/v1beta/files?upload_id=Ab-1_pm7f3k2m1q&upload_protocol=resumable"
        );
        assert_eq!(upload_at_ours(account, "https://x/y?z=1", (false, "h")), None);
    }
}
