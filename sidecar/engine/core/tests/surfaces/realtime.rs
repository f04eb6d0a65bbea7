//! Sessions in both directions are refused, and nothing else is.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::PROVIDERS;
use super::surfaces::SURFACES;
use super::world::{World, model, run};

const HANDSHAKE: &str = "connection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
const LIVE: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// Whether a refusal is told as a surface tells it.
type Told = fn(&Value) -> bool;

/// A WebSocket at any path, and all of OpenAI's realtime, is told in the surface's own words what to do.
#[test]
fn realtime_is_refused() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("OpenAI", &origin)]);
        let chat: Told = |told: &Value| told["error"]["code"] == "realtime_unsupported";
        let messages: Told = |told: &Value| {
            told["error"]["type"] == "invalid_request_error" && told["type"] == "error"
        };
        let google: Told =
            |told: &Value| told["error"]["details"][0]["reason"] == "REALTIME_UNSUPPORTED";
        let asked: [(&str, &str, &str, Told); 6] = [
            ("GET", "/v1/realtime?model=m", HANDSHAKE, chat),
            ("POST", "/v1/realtime/client_secrets", "", chat),
            ("GET", "/v1/responses", HANDSHAKE, chat),
            ("GET", "/v1/messages", HANDSHAKE, messages),
            ("GET", LIVE, HANDSHAKE, google),
            ("GET", "/nowhere", HANDSHAKE, chat),
        ];
        for (method, path, headers, is_told) in asked {
            let answer = world.request(method, path, headers, b"").await;
            let told = answer.json();
            assert_eq!(answer.status, 400, "{path}: {told}");
            assert!(is_told(&told) && told.to_string().contains("HTTP"), "{path}: {told}");
        }
        assert_eq!(origin.was_asked(), 0);
    });
}

/// A client that offers HTTP/2 by the way, as Java's does, gets its answer by HTTP/1.1.
#[test]
fn an_offer_of_http2_is_let_be() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("OpenAI", &origin)]);
        origin.say(Says::json(200, &(PROVIDERS[0].plain)()));
        let headers = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
        let body = (SURFACES[0].body)(false);
        let answer = world.send("/v1/chat/completions", headers, &body).await;
        assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("chat.completion")));
    });
}
