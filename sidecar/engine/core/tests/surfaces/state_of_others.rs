//! What Anthropic and Google keep, in their own SDKs' words: files, batches and cached contents, asked of
//! the account that has them.

use serde_json::json;

use super::origin::{Origin, Says};
use super::providers::PROVIDERS;
use super::world::{Answer, World, model, run, table};

const ANTHROPIC: &str = "anthropic-version: 2026-10-21\r\nanthropic-beta: files-api-2025-04-14\r\n";
const GOOGLE: &str = "x-goog-api-key: app\r\n";
const FORM: &str = "content-type: multipart/form-data; boundary=b\r\n";

/// An OpenAI model first, and two accounts of this type.
async fn two(kind: &str) -> (Origin, Origin, World) {
    let (other, first, second) =
        (Origin::start().await, Origin::start().await, Origin::start().await);
    let mut more = model(kind, &second);
    more["name"] = json!("main/more");
    more["provider"]["model"] = json!("upstream-more");
    let world = World::new(&[model("OpenAI", &other), model(kind, &first), more]);
    (first, second, world)
}

fn field(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// A file goes to the account that is named, in the words of its SDK, and is asked for and used there.
#[test]
fn anthropics_files() {
    run(async {
        let (first, second, world) = two("Anthropic").await;
        let file = json!({"id": "file_011C", "type": "file", "filename": "a.txt", "size_bytes": 2});
        let headers = format!("{ANTHROPIC}{FORM}x-pointsman-model: main/more\r\n");
        second.say(Says::json(200, &file));
        let answer = world.request("POST", "/v1/files", &headers, b"--b--\r\n").await;
        let heard = second.asked();
        assert_eq!(
            (heard.line.as_str(), heard.body.as_str()),
            ("POST /v1/files HTTP/1.1", Some("--b--\r\n"))
        );
        assert_eq!(heard.header("x-api-key"), Some("sk-Anthropic"));
        assert_eq!(heard.header("anthropic-beta"), Some("files-api-2025-04-14"));
        let kept = field(&answer, "id");
        assert!(kept.starts_with("file_011C_pm"), "{kept}");
        let record = world.record().await;
        assert_eq!((&record["endpoint"], &record["cost"]), (&json!("files"), &json!(0)));
        let path = format!("/v1/files/{kept}/content");
        second.say(Says::stream("application/octet-stream", b"{\"id\":\"file_011C\"}".to_vec()));
        let answer = world.request("GET", &path, ANTHROPIC, b"").await;
        assert_eq!(second.asked().line, "GET /v1/files/file_011C/content HTTP/1.1");
        assert_eq!(answer.body, "{\"id\":\"file_011C\"}", "no byte of it changes");
        // The first turn of a conversation names it, and goes to that account alone.
        let source = json!({"type": "file", "file_id": kept});
        let content =
            json!([{"type": "document", "source": source}, {"type": "text", "text": "Hi"}]);
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
        second.say(Says::json(200, &(PROVIDERS[1].plain)()));
        let answer = world.send("/v1/messages", ANTHROPIC, &body).await;
        assert_eq!((answer.status, first.was_asked()), (200, 0), "{answer:?}");
        let heard = second.asked().body;
        assert_eq!(heard["messages"][0]["content"][0]["source"]["file_id"], "file_011C");
        assert_eq!(heard["model"], "upstream-more");
        second.say(Says::json(
            404,
            &json!({"type": "error", "error": {"type": "not_found_error", "message": "none"}}),
        ));
        let answer = world.request("DELETE", &format!("/v1/files/{kept}"), ANTHROPIC, b"").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (404, &json!("not_found_error"))
        );
    });
}

/// A batch goes to the account of the models that it names, by their own names, and its results are found
/// where SDKs look for them: at our address.
#[test]
fn anthropics_batches() {
    run(async {
        let (first, second, world) = two("Anthropic").await;
        let of = |name: &str| {
            json!({"custom_id": name, "params": {"model": name, "max_tokens": 9,
            "messages": [{"role": "user", "content": "Hi"}]}})
        };
        let url = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results";
        let batch = json!({"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "results_url": url});
        second.say(Says::json(200, &batch));
        let body = json!({"requests": [of("main/more"), of("upstream-more")]});
        let answer = world.send("/v1/messages/batches", ANTHROPIC, &body).await;
        let heard = second.asked();
        assert_eq!(heard.line, "POST /v1/messages/batches HTTP/1.1", "{answer:?}");
        for request in heard.body["requests"].as_array().unwrap() {
            assert_eq!(request["params"]["model"], "upstream-more");
        }
        assert_eq!(heard.body["requests"][0]["custom_id"], "main/more");
        let kept = field(&answer, "id");
        let results = format!("/v1/messages/batches/{kept}/results");
        assert_eq!(field(&answer, "results_url"), results);
        let lines = b"{\"custom_id\":\"a\"}\n{\"custom_id\":\"b\"}\n".to_vec();
        second.say(Says::stream("application/x-jsonl", lines.clone()));
        let answer = world.request("GET", &results, ANTHROPIC, b"").await;
        assert_eq!(
            (second.asked().line.as_str(), answer.body.as_bytes()),
            ("GET /v1/messages/batches/msgbatch_1/results HTTP/1.1", &lines[..])
        );
        for (method, rest, line) in [
            ("GET", "", "GET /v1/messages/batches/msgbatch_1 HTTP/1.1"),
            ("POST", "/cancel", "POST /v1/messages/batches/msgbatch_1/cancel HTTP/1.1"),
            ("DELETE", "", "DELETE /v1/messages/batches/msgbatch_1 HTTP/1.1"),
        ] {
            second.say(Says::json(200, &batch));
            let path = format!("/v1/messages/batches/{kept}{rest}");
            let answer = world.request(method, &path, ANTHROPIC, b"").await;
            assert_eq!((second.asked().line.as_str(), field(&answer, "id")), (line, kept.clone()));
        }
        first.say(Says::json(
            200,
            &json!({"data": [batch], "has_more": false, "first_id": "msgbatch_1"}),
        ));
        let list =
            world.request("GET", "/v1/messages/batches?limit=5", ANTHROPIC, b"").await.json();
        assert_eq!(first.asked().line, "GET /v1/messages/batches?limit=5 HTTP/1.1");
        assert_eq!(list["first_id"], list["data"][0]["id"]);
        assert!(
            list["data"][0]["results_url"]
                .as_str()
                .unwrap()
                .starts_with("/v1/messages/batches/msgbatch_1_pm")
        );
        let many: Vec<_> = (0..65).map(|n| of(&format!("m{n}"))).collect();
        let answer =
            world.send("/v1/messages/batches", ANTHROPIC, &json!({"requests": many})).await;
        assert!(answer.status == 400 && answer.body.contains("at most 64 models"), "{answer:?}");
        for (models, code) in
            [(["main/more", "main/anthropic"], 400), (["main/more", "gpt-x"], 404)]
        {
            let body = json!({"requests": models.map(of)});
            let answer = world.send("/v1/messages/batches", ANTHROPIC, &body).await;
            assert_eq!(
                (answer.status, first.was_asked() + second.was_asked()),
                (code, 0),
                "{answer:?}"
            );
            assert_eq!(answer.json()["type"], "error");
        }
    });
}

/// An upload to Google begins with an address, which is ours; its bytes lead to the same account, as do the
/// file's name and address, alone and in a prompt.
#[test]
fn googles_files() {
    run(async {
        let (first, second, world) = two("Gemini").await;
        let start = format!(
            "{GOOGLE}content-type: application/json\r\nx-pointsman-model: main/more\r\n\
            x-goog-upload-protocol: resumable\r\nx-goog-upload-command: start\r\n"
        );
        let theirs = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=AbC-1&upload_protocol=resumable";
        let more = format!("x-goog-upload-url: {theirs}\r\nx-goog-upload-status: active\r\n");
        second.say(Says { more, ..Says::json(200, &json!({})) });
        let about = json!({"file": {"mimeType": "text/plain"}}).to_string();
        let answer = world.request("POST", "/upload/v1beta/files", &start, about.as_bytes()).await;
        let heard = second.asked();
        assert_eq!(
            heard.line, "POST /upload/v1/files HTTP/1.1",
            "beside the base URL's own path: {answer:?}"
        );
        assert_eq!(heard.header("x-goog-upload-command"), Some("start"));
        assert_eq!(heard.header("x-goog-api-key"), Some("sk-Gemini"));
        assert_eq!(answer.header("x-goog-upload-status"), Some("active"));
        let ours = answer.header("x-goog-upload-url").unwrap().to_owned();
        let (address, path) = ours.split_at("http://x".len());
        assert!(address == "http://x" && path.contains("upload_id=AbC-1_pm"), "{ours}");
        // Its parts say neither who sends them nor what they are.
        let file = json!({"file": {"name": "files/abc", "mimeType": "text/plain", "state": "ACTIVE",
            "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}});
        second.say(Says {
            more: "x-goog-upload-status: final\r\n".to_owned(),
            ..Says::json(200, &file)
        });
        let part = "x-goog-upload-command: upload, finalize\r\nx-goog-upload-offset: 0\r\n";
        let answer = world.request("POST", path, part, b"{\"not\": json").await;
        let heard = second.asked();
        assert_eq!(
            heard.line,
            "POST /upload/v1/files?upload_id=AbC-1&upload_protocol=resumable HTTP/1.1"
        );
        assert_eq!(
            (heard.body.as_str(), heard.header("x-goog-upload-offset")),
            (Some("{\"not\": json"), Some("0"))
        );
        assert_eq!(answer.header("x-goog-upload-status"), Some("final"));
        let (name, uri) =
            (answer.json()["file"]["name"].clone(), answer.json()["file"]["uri"].clone());
        let mark = name.as_str().unwrap().strip_prefix("files/abc").unwrap().to_owned();
        assert_eq!(
            (mark.len(), uri.as_str().unwrap().ends_with(&format!("/files/abc{mark}"))),
            (11, true)
        );
        for (method, rest, line) in [
            ("GET", "", "GET /v1/files/abc HTTP/1.1"),
            ("GET", ":download?alt=media", "GET /v1/files/abc:download?alt=media HTTP/1.1"),
            ("DELETE", "", "DELETE /v1/files/abc HTTP/1.1"),
        ] {
            second.say(Says::json(200, &json!({"name": "files/abc"})));
            let path = format!("/v1beta/{}{rest}", name.as_str().unwrap());
            let answer = world.request(method, &path, GOOGLE, b"").await;
            assert_eq!((second.asked().line.as_str(), &answer.json()["name"]), (line, &name));
        }
        let parts =
            json!([{"fileData": {"fileUri": uri, "mimeType": "text/plain"}}, {"text": "Hi"}]);
        second.say(Says::json(200, &(PROVIDERS[2].plain)()));
        let body = json!({"contents": [{"role": "user", "parts": parts}]});
        let answer = world.send("/v1beta/models/m:generateContent", GOOGLE, &body).await;
        assert_eq!((answer.status, first.was_asked()), (200, 0), "{answer:?}");
        let heard = second.asked();
        assert_eq!(heard.line, "POST /v1/models/upstream-more:generateContent HTTP/1.1");
        assert_eq!(
            heard.body["contents"][0]["parts"][0]["fileData"]["fileUri"],
            "https://generativelanguage.googleapis.com/v1beta/files/abc"
        );
    });
}

/// A cache is made for a model by our name, and asked from at its account; nobody else can.
#[test]
fn googles_caches() {
    run(async {
        let (first, second, world) = two("Gemini").await;
        let cache = json!({"name": "cachedContents/c1", "model": "models/upstream-more", "usageMetadata": {"totalTokenCount": 9}});
        second.say(Says::json(200, &cache));
        let made = json!({"model": "models/main/more", "contents": [{"role": "user", "parts": [{"text": "long"}]}]});
        let answer = world.send("/v1beta/cachedContents", GOOGLE, &made).await;
        let heard = second.asked();
        assert_eq!(
            (heard.line.as_str(), &heard.body["model"]),
            ("POST /v1/cachedContents HTTP/1.1", &json!("models/upstream-more"))
        );
        let name = field(&answer, "name");
        assert_eq!(world.record().await["endpoint"], "cached_contents");
        for stream in [false, true] {
            let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            second.say(if stream {
                Says::events((PROVIDERS[2].stream)().concat())
            } else {
                Says::json(200, &(PROVIDERS[2].plain)())
            });
            let body = json!({"cachedContent": name, "contents": [{"parts": [{"text": "Hi"}]}]});
            let answer = world.send(&format!("/v1/models/m:{verb}"), GOOGLE, &body).await;
            assert_eq!((answer.status, first.was_asked()), (200, 0), "{answer:?}");
            assert_eq!(second.asked().body["cachedContent"], "cachedContents/c1");
        }
        let body = json!({"cachedContent": "cachedContents/c1_pm00000000", "contents": [{"parts": [{"text": "Hi"}]}]});
        let answer = world.send("/v1/models/m:generateContent", GOOGLE, &body).await;
        assert_eq!((answer.status, second.was_asked()), (400, 0), "{answer:?}");
        second.say(Says::json(200, &cache));
        let longer = json!({"ttl": "600s"}).to_string();
        let headers = format!("{GOOGLE}content-type: application/json\r\n");
        let answer = world
            .request(
                "PATCH",
                &format!("/v1beta/{name}?updateMask=ttl"),
                &headers,
                longer.as_bytes(),
            )
            .await;
        assert_eq!(
            (answer.status, second.asked().line.as_str()),
            (200, "PATCH /v1/cachedContents/c1?updateMask=ttl HTTP/1.1")
        );
    });
}

/// What a Budget cannot bound is refused in the surface's own words: batches, and caches, which cost by the
/// hour. Files cost nothing; a prompt of which a part is kept elsewhere is reserved for by the window.
#[test]
fn budgets_bound_what_is_kept() {
    run(async {
        let (claude, gemini) = (Origin::start().await, Origin::start().await);
        let models = [model("Anthropic", &claude), model("Gemini", &gemini)];
        let world = World::new(&models);
        let budget = |amount: u64| {
            let mut table = table(&models, &json!({}));
            table["budgets"] = json!([{"namespace": "demo", "name": "team",
                "limits": [{"name": "day", "amount": amount}],
                "enforcement": {"mode": "Enforce", "onLedgerUnavailable": "Allow",
                    "outageHorizonSeconds": 900, "defaultMaxTokens": 100}}]);
            world.engine.load(table.to_string().as_bytes()).unwrap();
        };
        budget(1_000_000_000_000);
        let requests = json!({"requests": [{"custom_id": "a", "params": {"model": "anthropic"}}]});
        let answer = world.send("/v1/messages/batches", ANTHROPIC, &requests).await;
        assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("error")), "{answer:?}");
        let made = json!({"model": "models/gemini", "contents": []});
        let answer = world.send("/v1beta/cachedContents", GOOGLE, &made).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{answer:?}"
        );
        assert_eq!((claude.was_asked(), gemini.was_asked()), (0, 0));
        drop(world.record().await);
        for (origin, path, headers) in
            [(&claude, "/v1/files/file_a", ANTHROPIC), (&gemini, "/v1beta/files/a", GOOGLE)]
        {
            origin.say(Says::json(200, &json!({"id": "file_a", "name": "files/a"})));
            let answer = world.request("GET", path, headers, b"").await;
            assert_eq!((answer.status, origin.asked().line.len() > 9), (200, true), "{answer:?}");
            drop(world.record().await);
        }
        // The window's 100,000 tokens at 1,000 picodollars, and 100 of answer at 5,000.
        gemini.say(Says::json(200, &(PROVIDERS[2].plain)()));
        let body = json!({"cachedContent": "cachedContents/c1", "contents": [{"parts": [{"text": "Hi"}]}],
            "generationConfig": {"maxOutputTokens": 100}});
        let answer = world.send("/v1/models/main%2Fgemini:generateContent", GOOGLE, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let record = world.record().await;
        assert_eq!(record["endpoint"], "generate_content");
        assert_eq!(record["reserved"], 100_000 * 1_000 + 100 * 5_000, "{record}");
    });
}
