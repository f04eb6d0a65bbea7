//! Service accounts prove who they are, and token endpoints' answers are read with their end.

#![expect(clippy::unwrap_used, reason = "a test file: what cannot be made fails the test")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pointsman_core::sign::google::{
    CLOUD_PLATFORM, NoToken, NotAnAccount, ServiceAccount, read_token,
};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

/// Of a key that was made for these tests and is known nowhere else.
const ACCOUNT: &str = include_str!("google/service_account.json");
const PUBLIC_KEY: &str = include_str!("google/public_key.der.b64");
const NOW_S: u64 = 1_700_000_000;

fn with(member: &str, value: Value) -> Vec<u8> {
    let mut account: Value = serde_json::from_str(ACCOUNT).unwrap();
    account[member] = value;
    account.to_string().into_bytes()
}

/// The assertion says who asks whom for what and how long, under a signature that the public key proves.
#[test]
fn an_assertion_is_signed() {
    let account = ServiceAccount::read(ACCOUNT.as_bytes()).unwrap();
    assert_eq!(account.token_uri(), "https://oauth2.googleapis.com/token");
    assert_eq!(account.project(), Some("pointsman-test"));
    let form = account.exchange(CLOUD_PLATFORM, NOW_S).unwrap();
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    assert!(assertion.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    let parts: Vec<&str> = assertion.split('.').collect();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let json = |text: &str| serde_json::from_slice::<Value>(&decode(text)).unwrap();
    assert_eq!(
        json(parts[0]),
        json!({"alg": "RS256", "typ": "JWT", "kid": "made-for-tests-alone"})
    );
    let claims = json!({
        "iss": "router@pointsman-test.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": NOW_S,
        "exp": NOW_S + 3_600,
    });
    assert_eq!(json(parts[1]), claims);
    let public = UnparsedPublicKey::new(
        &RSA_PKCS1_2048_8192_SHA256,
        STANDARD.decode(PUBLIC_KEY.trim()).unwrap(),
    );
    let signed = assertion.rsplit_once('.').unwrap().0;
    public.verify(signed.as_bytes(), &decode(parts[2])).unwrap();
    assert!(public.verify(&signed.as_bytes()[1..], &decode(parts[2])).is_err());
    assert_eq!(format!("{account:?}"), "ServiceAccount(…)");
}

/// What is no service account's key is refused by the reason, without a word of its content.
#[test]
fn other_keys_are_refused() {
    for (file, expected) in [
        (b"{".to_vec(), NotAnAccount::Shape),
        (with("client_email", Value::Null), NotAnAccount::Shape),
        (with("type", json!("authorized_user")), NotAnAccount::Kind),
        (with("private_key", json!("secret")), NotAnAccount::Key),
        (
            with(
                "private_key",
                json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            ),
            NotAnAccount::Key,
        ),
        (with("token_uri", json!("http://example.com/token")), NotAnAccount::TokenUri),
    ] {
        let refused = ServiceAccount::read(&file).unwrap_err();
        assert_eq!(refused, expected);
        assert!(!refused.to_string().contains("secret"));
    }
    let plain = with("token_uri", Value::Null);
    assert!(ServiceAccount::read(&plain).unwrap().token_uri().starts_with("https://oauth2"));
}

/// A token is replaced before its end, at least halfway; refusals keep their word and nothing else.
#[test]
fn answers_of_token_endpoints_are_read() {
    let answer = |answer: Value| read_token(answer.to_string().as_bytes(), NOW_S);
    let token =
        answer(json!({"access_token": "ya29.x", "expires_in": 3_599, "token_type": "Bearer"}));
    let token = token.unwrap();
    assert_eq!(token.authorization, "Bearer ya29.x");
    assert!(token.authorization.is_sensitive());
    assert_eq!((token.renew_s, token.expires_s), (NOW_S + 3_299, NOW_S + 3_599));
    let short = answer(json!({"access_token": "t", "expires_in": 60})).unwrap();
    assert_eq!((short.renew_s, short.expires_s), (NOW_S + 30, NOW_S + 60));
    let unknown = answer(json!({"access_token": "t"})).unwrap();
    assert_eq!((unknown.renew_s, unknown.expires_s), (NOW_S, NOW_S));
    let endless = answer(json!({"access_token": "t", "expires_in": u64::MAX})).unwrap();
    assert_eq!(endless.expires_s, u64::MAX);
    let refused = answer(json!({"error": "invalid_grant", "error_description": "key sk-1"}));
    assert_eq!(refused.unwrap_err(), NoToken::Refused("invalid_grant".into()));
    for odd in [
        json!({}),
        json!([]),
        json!({"access_token": ""}),
        json!({"access_token": "a\nb"}),
        json!({"access_token": "a", "token_type": "mac"}),
        json!({"access_token": "a", "expires_in": -1}),
    ] {
        assert_eq!(answer(odd).unwrap_err(), NoToken::Malformed);
    }
}
