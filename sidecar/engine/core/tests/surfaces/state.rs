//! What providers keep between calls is asked of the one that has it, by the mark on its id, and of no other.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::world::{Answer, World, model, run, table};

const RESPONSES: &str = "/v1/responses";

/// Two accounts that speak Responses, in this order.
async fn two() -> (Origin, Origin, World) {
    let (first, second) = (Origin::start().await, Origin::start().await);
    let of = |kind: &str, origin: &Origin| {
        let mut model = model(kind, origin);
        model["provider"]["surfaces"] = json!(["Responses"]);
        model
    };
    let world = World::new(&[of("OpenAI", &first), of("AzureOpenAI", &second)]);
    (first, second, world)
}

fn response(id: &str, status: &str) -> Value {
    let text = json!({"type": "output_text", "text": "Hello.", "annotations": []});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [text]});
    let usage = json!({"input_tokens": 9, "output_tokens": 2, "total_tokens": 11});
    let usage = if status == "completed" { usage } else { Value::Null };
    let reasoning =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"});
    json!({"id": id, "object": "response", "status": status, "model": "gpt-x", "error": null,
        "output": [reasoning, message], "usage": usage, "previous_response_id": null})
}

fn ask(more: &Value) -> Value {
    let mut body = json!({"model": "m", "input": "Hi"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A response's id goes down with its account's mark; a call with it goes there without the mark, and to
/// nobody else when that fails.
#[test]
fn a_response_is_continued_where_it_is() {
    run(async {
        let (first, second, world) = two().await;
        first.say(Says::json(500, &json!({"error": {"message": "down"}})));
        second.say(Says::json(200, &response("resp_a", "completed")));
        let answer = world.post(RESPONSES, &ask(&json!({}))).await;
        assert_eq!((answer.status, first.asked().line.len() > 9), (200, true), "{answer:?}");
        second.asked();
        let kept = id(&answer);
        assert!(kept.starts_with("resp_a_pm") && kept.len() == "resp_a".len() + 11, "{kept}");
        let reasoning = answer.json()["output"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(reasoning.strip_prefix("rs_1"), kept.strip_prefix("resp_a"));
        second.say(Says::json(200, &response("resp_b", "completed")));
        let next =
            ask(&json!({"previous_response_id": kept, "x_own": 1.5, "max_output_tokens": 7}));
        let answer = world.post(RESPONSES, &next).await;
        assert_eq!((answer.status, first.was_asked()), (200, 0), "{answer:?}");
        let heard = second.asked().body;
        let model = json!("AzureOpenAI-upstream");
        assert_eq!((&heard["previous_response_id"], &heard["model"]), (&json!("resp_a"), &model));
        assert_eq!((&heard["x_own"], &heard["max_output_tokens"]), (&json!(1.5), &json!(7)));
        second.say(Says::json(500, &json!({"error": {"message": "down"}})));
        let answer = world.post(RESPONSES, &next).await;
        assert_eq!((answer.status, first.was_asked(), second.was_asked()), (502, 0, 1));
        drop(world.record().await);
    });
}

/// An answer too large to be buffered bears the marks as well, wherever its pieces end, and changes in
/// nothing else.
#[test]
fn large_answers_bear_the_mark() {
    run(async {
        let (first, _second, world) = two().await;
        let mut reply = response("resp_a", "completed");
        let one = reply["output"][0].clone();
        let more = vec![one; 120_000];
        reply["output"].as_array_mut().unwrap().extend(more);
        let text = reply["output"][1]["content"][0].as_object_mut().unwrap();
        text.insert("text".to_owned(), json!("x".repeat(1 << 20)));
        assert!(reply.to_string().len() > pointsman_core::limits::PLAIN_ANSWER_BYTES);
        first.say(Says::json(200, &reply));
        let answer = world.post(RESPONSES, &ask(&json!({}))).await;
        let kept = id(&answer);
        let mark = kept.strip_prefix("resp_a").unwrap().to_owned();
        assert_eq!(mark.len(), 11, "{kept}");
        let marked = reply.to_string().replace("\"rs_1\"", &format!("\"rs_1{mark}\""));
        let marked = marked.replace("\"resp_a\"", &format!("\"{kept}\""));
        assert!(answer.body == marked, "{} {}", answer.body.len(), marked.len());
        assert_eq!(world.record().await["outcome"], "ok");
    });
}

/// An id that another account keeps, or two, is refused with what to do; one that does not say whose it is
/// goes to one provider alone.
#[test]
fn state_is_never_asked_of_others() {
    run(async {
        let (first, second, world) = two().await;
        let answer = world
            .post(RESPONSES, &ask(&json!({"previous_response_id": "resp_a_pm00000000"})))
            .await;
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["error"]["code"]),
            (400, &json!("state_elsewhere")),
            "{told}"
        );
        assert!(told["error"]["message"].as_str().unwrap().contains("Send the whole conversation"));
        let file = json!({"type": "input_file", "file_id": "file-b_pm11111111"});
        let torn = json!({"previous_response_id": "resp_a_pm00000000",
            "input": [{"role": "user", "content": [file]}]});
        let answer = world.post(RESPONSES, &ask(&torn)).await;
        assert_eq!(answer.json()["error"]["code"], "state_elsewhere");
        assert_eq!((first.was_asked(), second.was_asked()), (0, 0));
        first.say(Says::json(500, &json!({"error": {"message": "down"}})));
        let answer = world.post(RESPONSES, &ask(&json!({"conversation": "conv_a"}))).await;
        assert_eq!((answer.status, second.was_asked()), (502, 0), "{answer:?}");
        assert_eq!(first.asked().body["conversation"], "conv_a");
    });
}

/// In a stream every event's id bears the mark, and nothing else changes.
#[test]
fn streams_bear_the_mark() {
    run(async {
        let (first, _second, world) = two().await;
        let event = |name: &str, mut data: Value| {
            data["type"] = json!(name);
            format!("event: {name}\ndata: {data}\n\n")
        };
        let begun =
            json!({"id": "resp_a", "object": "response", "status": "in_progress", "output": []});
        let item = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": []});
        let place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
        let with = |more: Value| {
            let mut all = place.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let part = json!({"type": "output_text", "text": "", "annotations": []});
        let events = [
            event("response.created", json!({"sequence_number": 0, "response": begun})),
            event("response.output_item.added", json!({"output_index": 0, "item": item})),
            event("response.content_part.added", with(json!({"part": part}))),
            event("response.output_text.delta", with(json!({"delta": "resp_a"}))),
            event("response.completed", json!({"response": response("resp_a", "completed")})),
        ];
        first.say(Says::events(events.concat()));
        let answer = world.post(RESPONSES, &ask(&json!({"stream": true}))).await;
        assert!(answer.status == 200 && answer.whole, "{answer:?}");
        let told = answer.events();
        let kept = told[0].1["response"]["id"].as_str().unwrap();
        let mark = kept.strip_prefix("resp_a").unwrap();
        assert_eq!((mark.len(), &told[4].1["response"]["id"]), (11, &json!(kept)));
        assert_eq!(told[3].1["delta"], "resp_a", "a text is no id");
        assert_eq!(answer.body.replace(mark, ""), events.concat());
    });
}

/// Reasoning goes back to who made it; another account is not sent what it could not read.
#[test]
fn reasoning_goes_to_its_maker_alone() {
    run(async {
        let (first, second, world) = two().await;
        first.say(Says::json(200, &response("resp_a", "completed")));
        let output = world.post(RESPONSES, &ask(&json!({}))).await.json()["output"].clone();
        first.asked();
        let mut items = output.as_array().unwrap().clone();
        items.push(json!({"role": "user", "content": "Go on"}));
        first.say(Says::json(500, &json!({"error": {"message": "down"}})));
        second.say(Says::json(200, &response("resp_b", "completed")));
        let answer = world.post(RESPONSES, &ask(&json!({"input": items, "store": false}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let (own, other) = (first.asked().body, second.asked().body);
        assert_eq!(
            (&own["input"][0]["id"], &own["input"][0]["encrypted_content"]),
            (&json!("rs_1"), &json!("e"))
        );
        assert_eq!(other["input"].as_array().unwrap().len(), 2);
        assert_eq!(other["input"][0]["type"], "message");
    });
}

/// A response in the background is booked by its bound, and looked for, cancelled and deleted where it is.
#[test]
fn background_responses() {
    run(async {
        let (first, second, world) = two().await;
        first.say(Says::json(500, &json!({"error": {"message": "down"}})));
        second.say(Says::json(200, &response("resp_q", "queued")));
        let asked = json!({"background": true, "max_output_tokens": 50});
        let answer = world.post(RESPONSES, &ask(&asked)).await;
        let kept = id(&answer);
        second.asked();
        let record = world.record().await;
        assert_eq!((answer.status, &record["usage"]["source"]), (200, &json!("estimated")));
        assert!(record["cost"].as_u64().unwrap() >= 50 * 5_000, "{record}");
        for (method, path, line) in [
            (
                "GET",
                format!("{RESPONSES}/{kept}?include=x"),
                "GET /v1/responses/resp_q?include=x HTTP/1.1",
            ),
            (
                "POST",
                format!("{RESPONSES}/{kept}/cancel"),
                "POST /v1/responses/resp_q/cancel HTTP/1.1",
            ),
            ("DELETE", format!("{RESPONSES}/{kept}"), "DELETE /v1/responses/resp_q HTTP/1.1"),
        ] {
            second.say(Says::json(200, &response("resp_q", "completed")));
            let answer = world.request(method, &path, "authorization: Bearer app\r\n", b"").await;
            let heard = second.asked();
            assert_eq!((answer.status, heard.line.as_str()), (200, line), "{answer:?}");
            assert_eq!(heard.header("api-key"), Some("sk-AzureOpenAI"));
            assert_eq!(heard.header("authorization"), None, "the app's own is never forwarded");
            assert_eq!(id(&answer), kept);
            let record = world.record().await;
            assert_eq!((&record["cost"], &record["endpoint"]), (&json!(0), &json!("responses")));
        }
        let answer =
            world.request("GET", &format!("{RESPONSES}/{kept}?stream=true"), "", b"").await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("stream")));
        let missing =
            json!({"error": {"message": "No such response", "type": "invalid_request_error"}});
        second.say(Says::json(404, &missing));
        let answer = world.request("GET", &format!("{RESPONSES}/{kept}"), "", b"").await;
        assert_eq!((answer.status, second.was_asked()), (404, 1), "{answer:?}");
    });
}

/// A file passes as it comes to the first account that keeps files, or the one that a header names; its id,
/// and a batch's of it, lead back there.
#[test]
fn files_and_batches() {
    run(async {
        let (first, second, world) = two().await;
        let form =
            "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b--\r\n";
        let kind = "content-type: multipart/form-data; boundary=b\r\n";
        let file = json!({"id": "file-abc", "object": "file", "purpose": "batch"});
        first.say(Says::json(200, &file));
        let answer = world.request("POST", "/v1/files", kind, form.as_bytes()).await;
        let heard = first.asked();
        assert_eq!((answer.status, heard.body.as_str()), (200, Some(form)), "{answer:?}");
        assert_eq!(heard.header("content-type"), Some("multipart/form-data; boundary=b"));
        second.say(Says::json(200, &file));
        let named = format!("{kind}x-pointsman-model: azureopenai\r\n");
        let answer = world.request("POST", "/v1/files", &named, form.as_bytes()).await;
        let kept = id(&answer);
        assert!(second.was_asked() == 1 && kept.starts_with("file-abc_pm"), "{answer:?}");
        second.asked();
        let batch = json!({"id": "batch_1", "object": "batch", "input_file_id": "file-abc", "output_file_id": null});
        second.say(Says::json(200, &batch));
        let asked = json!({"input_file_id": kept, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
        let answer = world.post("/v1/batches", &asked).await;
        assert_eq!(second.asked().body["input_file_id"], "file-abc", "{answer:?}");
        assert_eq!(answer.json()["input_file_id"], json!(kept));
        let batch = id(&answer);
        second.say(Says::json(200, &json!({"id": "batch_1", "status": "cancelling"})));
        let answer = world.request("POST", &format!("/v1/batches/{batch}/cancel"), "", b"").await;
        assert_eq!(
            (answer.status, second.asked().line.as_str()),
            (200, "POST /v1/batches/batch_1/cancel HTTP/1.1")
        );
        let lines = b"{\"id\":\"file-abc\"}\nnot json".to_vec();
        second.say(Says { kind: "application/octet-stream", ..Says::stream("", lines.clone()) });
        let answer = world.request("GET", &format!("/v1/files/{kept}/content"), "", b"").await;
        assert_eq!(
            (answer.status, answer.body.as_bytes()),
            (200, lines.as_slice()),
            "no byte of it changes"
        );
    });
}

/// What a batch costs is known too late for a Budget that is enforced: it is refused, and says so; files
/// cost nothing and pass.
#[test]
fn batches_are_refused_under_an_enforced_budget() {
    run(async {
        let origin = Origin::start().await;
        let models = [model("OpenAI", &origin)];
        let world = World::new(&models);
        let limits = json!([{"name": "day", "amount": 1_000_000_000}]);
        for (mode, status) in [("Enforce", 400), ("Audit", 200)] {
            let mut table = table(&models, &json!({}));
            let enforcement = json!({"mode": mode, "onLedgerUnavailable": "Allow",
                "outageHorizonSeconds": 900, "defaultMaxTokens": 100});
            table["budgets"] = json!([{"namespace": "demo", "name": "team", "limits": limits,
                "enforcement": enforcement}]);
            world.engine.load(table.to_string().as_bytes()).unwrap();
            origin.say(Says::json(200, &json!({"id": "file-a", "object": "file"})));
            let answer = world.request("GET", "/v1/files/file-a", "", b"").await;
            assert_eq!(
                (answer.status, origin.asked().line.as_str()),
                (200, "GET /v1/files/file-a HTTP/1.1")
            );
            if status == 200 {
                origin.say(Says::json(200, &json!({"id": "batch_a"})));
            }
            let asked = json!({"input_file_id": "file-a", "endpoint": "/v1/embeddings"});
            let answer = world.post("/v1/batches", &asked).await;
            assert_eq!(answer.status, status, "{mode}: {answer:?}");
            if status == 400 {
                assert_eq!(answer.json()["error"]["code"], "unpriced_batch");
                assert_eq!(origin.was_asked(), 0);
            }
        }
    });
}
