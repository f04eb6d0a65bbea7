//! Requests to Bedrock carry botocore's signature. `tests/golden/signing/test_signing.py` reads the same
//! cases.

use std::collections::BTreeMap;

use http::{HeaderValue, Method};
use pointsman_core::sign::sigv4::{AwsKey, Head, path_segment, sign};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    what: String,
    host: String,
    region: String,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    now_s: u64,
    content_type: String,
    call: String,
    model: String,
    body: Vec<String>,
    target: String,
    headers: BTreeMap<String, String>,
}

/// I3: path, signature and headers are botocore's in every case, the body in pieces or whole.
#[test]
fn i3_signatures_are_botocores() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden/signing/cases.json");
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let target = format!("/model/{}/{}", path_segment(&case.model), case.call);
        assert_eq!(target, case.target, "{}", case.what);
        let content_type = HeaderValue::from_str(&case.content_type).unwrap();
        let head = Head {
            method: &Method::POST,
            host: &case.host,
            target: &target,
            content_type: &content_type,
        };
        let key = AwsKey::new(&case.access_key, &case.secret_key, case.session_token.as_deref());
        let whole = case.body.concat();
        let pieces: Vec<&[u8]> = case.body.iter().map(String::as_bytes).collect();
        for body in [pieces, vec![whole.as_bytes()]] {
            let signed = sign(&head, body, &key, &case.region, case.now_s).unwrap();
            let headers: BTreeMap<String, String> = signed
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            assert_eq!(headers, case.headers, "{}", case.what);
        }
    }
}
