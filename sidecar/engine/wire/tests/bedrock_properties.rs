//! What holds for any answer, any conversation and any bytes on Converse's side.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use pointsman_wire::Fault;
use pointsman_wire::bedrock_converse::{answer, error, request, stream};
use pointsman_wire::eventstream::Decoder;
use pointsman_wire::form::{
    Call, Choice, Conversation, Dialect, Effort, Event, Finish, FinishReason, Frame, Part, Payload,
    Reader as _, Reasoning, Reply, Role, Thinking, Tokens, Tool, ToolChoice, ToolResult, Turn,
    Writer as _,
};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "support/any_json.rs"]
mod any_json;
#[path = "support/assemble.rs"]
mod assemble;
#[path = "support/facts.rs"]
mod facts;
#[path = "support/grammar_bedrock.rs"]
mod grammar;

use any_json::any_json;
use facts::facts;
use grammar::Verdict;

const MODEL: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const EVENTS: [&str; 8] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "exception:throttlingException",
    "later",
];

/// The words that Converse's readers look for as keys.
const WORDS: &str = "messages|role|user|assistant|system|content|text|image|document|video|audio|format|png|\
        source|bytes|s3Location|uri|toolUse|toolUseId|name|input|type|toolResult|status|error|json|\
        reasoningContent|reasoningText|signature|redactedContent|cachePoint|ttl|1h|guardContent|\
        inferenceConfig|maxTokens|temperature|topP|stopSequences|toolConfig|tools|toolSpec|inputSchema|\
        toolChoice|auto|any|tool|outputConfig|textFormat|structure|jsonSchema|schema|effort|high|\
        additionalModelRequestFields|thinking|budget_tokens|top_k|output|message|stopReason|end_turn|\
        usage|inputTokens|outputTokens|cacheReadInputTokens|cacheDetails|start|delta|\
        contentBlockIndex|citationsContent|serviceTier|additionalModelResponseFields|stop_sequence";

/// With what a DOM would change: digits beyond any number's, spaces, the order of members.
fn exact() -> BoxedStrategy<String> {
    let value = prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        "[1-9][0-9]{25}(\\.[0-9]{3})?",
        "[^\u{0}]{0,12}".prop_map(|text| json!(text).to_string()),
        Just(r#"{"in": {"deep": [1.50, null, true]}}"#.to_owned()),
    ];
    proptest::collection::vec(("[a-z\"}]{1,4}", value), 1..4)
        .prop_map(|members| {
            let member = |(key, value): (String, String)| format!("{} : {value}", json!(key));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

/// As a DOM writes them.
fn plain() -> BoxedStrategy<String> {
    let value = any::<i32>().prop_map(Value::from);
    let members = proptest::collection::vec(("[a-z\"}]{1,4}", value), 1..4);
    members.prop_map(|members| Value::Object(members.into_iter().collect()).to_string()).boxed()
}

fn call(arguments: BoxedStrategy<String>) -> impl Strategy<Value = Payload> {
    ("[a-z]{1,6}", arguments)
        .prop_map(|(name, arguments)| Payload::Call(Call { name, arguments, ..Call::default() }))
}

fn said(arguments: BoxedStrategy<String>) -> impl Strategy<Value = Payload> {
    let signature = || proptest::option::of("[A-Za-z0-9+/]{4}");
    prop_oneof![
        "(.|\n|\r){0,20}x".prop_map(Payload::Text),
        (".{1,20}", signature()).prop_map(|(text, signature)| {
            Payload::Thinking(Thinking { text, signature, ..Thinking::default() })
        }),
        "[A-Za-z0-9+/]{4}".prop_map(|data| {
            Payload::Thinking(Thinking {
                signature: Some(data),
                redacted: true,
                ..Thinking::default()
            })
        }),
        call(arguments),
    ]
}

/// Parts, their calls with ids of their own.
fn parts(arguments: BoxedStrategy<String>) -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(said(arguments), 0..5).prop_map(|payloads| {
        let numbered = |(place, mut payload): (usize, Payload)| {
            if let Payload::Call(call) = &mut payload {
                call.id = format!("c{place}");
            }
            payload.into()
        };
        payloads.into_iter().enumerate().map(numbered).collect()
    })
}

fn finish() -> impl Strategy<Value = Finish> {
    proptest::sample::select(vec![
        (FinishReason::Stop, "end_turn"),
        (FinishReason::StopText(None), "stop_sequence"),
        (FinishReason::StopText(Some("END".into())), "stop_sequence"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::Window, "model_context_window_exceeded"),
        (FinishReason::Filter, "guardrail_intervened"),
        (FinishReason::Filter, "content_filtered"),
        (FinishReason::Other, "malformed_tool_use"),
    ])
    .prop_map(|(reason, raw)| Finish { reason, raw: raw.into() })
}

fn reply() -> impl Strategy<Value = Reply> {
    let cached = (0_u64..99, 0_u64..99, 0_u64..99);
    let tier = proptest::sample::select(vec![None, Some("flex")]);
    let usage =
        (0_u64..1_000, 0_u64..1_000, cached, tier).prop_map(|(input, output, cached, tier)| {
            let (cache_read, cache_write, cache_write_long) = cached;
            Tokens {
                input: input + cache_read + cache_write + cache_write_long,
                cache_read,
                cache_write,
                cache_write_long,
                output,
                service_tier: tier.map(str::to_owned),
                ..Tokens::default()
            }
        });
    (parts(exact()), finish(), proptest::option::of(usage)).prop_map(
        |(parts, mut finish, usage)| {
            let calls = parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
            if finish.reason == FinishReason::Stop && calls {
                finish = Finish { reason: FinishReason::Calls, raw: "tool_use".into() };
            }
            Reply { choices: vec![Choice { parts, finish }], usage, ..Reply::default() }
        },
    )
}

/// A question, what the model says to it, and the results of what it calls.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let one = (".{0,12}x", parts(plain()), ".{0,12}x", any::<bool>());
    proptest::collection::vec(one, 1..3).prop_map(|asked| {
        let mut turns = Vec::new();
        for (number, (asked, mut parts, gave, failed)) in asked.into_iter().enumerate() {
            let user = |parts| Turn { role: Role::User, parts };
            let mut results: Vec<Part> = Vec::new();
            for part in &mut parts {
                let Payload::Call(call) = &mut part.payload else { continue };
                call.id = format!("{}-{number}", call.id);
                let (id, name) = (call.id.clone(), Some(call.name.clone()));
                let parts = if failed { Vec::new() } else { vec![Part::text(&*gave)] };
                results.push(Payload::Result(ToolResult { id, name, parts, failed }).into());
            }
            turns.push(user(vec![Part::text(asked)]));
            turns.push(Turn { role: Role::Assistant, parts });
            turns.push(user(results));
        }
        turns.into_iter().filter(|turn| !turn.parts.is_empty()).collect()
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let description = proptest::option::of("[^\u{0}]{1,9}");
    let tool = ("[a-z]{1,6}", description, any::<Option<bool>>(), proptest::option::of("(1h|5m)?"));
    let tool = tool.prop_map(|(name, description, strict, cache)| Tool {
        name,
        description,
        parameters: Some(json!({"type": "object", "properties": {"z": {}, "a": {}}})),
        strict,
        cache,
        foreign: None,
    });
    proptest::collection::vec(tool, 1..3)
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let choice = prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::Named("f".into())),];
    let effort = proptest::sample::select(vec![Effort::Low, Effort::Medium, Effort::High]);
    let system = proptest::option::of(".{0,12}x");
    let settings = (any::<Option<u32>>(), any::<Option<u32>>(), proptest::option::of(effort));
    (system, turns(), tools(), choice, settings).prop_map(
        |(system, turns, tools, choice, settings)| {
            let (cap, top_k, effort) = settings;
            let cached = |text| Part { cache: Some(String::new()), ..Part::text(text) };
            let system = system.map(|text| Turn { role: Role::System, parts: vec![cached(text)] });
            let mut conversation = Conversation {
                origin: Some(Dialect::BedrockConverse),
                turns: system.into_iter().chain(turns).collect(),
                tools,
                tool_choice: Some(choice),
                ..Conversation::default()
            };
            conversation.settings.max_output = cap.map(u64::from);
            conversation.settings.top_k = top_k.map(u64::from);
            conversation.settings.reasoning =
                effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
            conversation
        },
    )
}

/// Turns of one speaker that follow one another are one after writing: so they are before comparing.
fn merged(mut conversation: Conversation) -> Conversation {
    let mut turns: Vec<Turn> = Vec::new();
    for turn in conversation.turns {
        match turns.last_mut().filter(|last| last.role == turn.role) {
            Some(last) => last.parts.extend(turn.parts),
            None => turns.push(turn),
        }
    }
    conversation.turns = turns;
    conversation
}

fn written(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (stream::Writer::new(facts()), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    out
}

fn read(body: &[u8]) -> Result<Vec<Event>, Vec<Event>> {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    decoder.push(body, &mut messages).unwrap();
    let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
    for message in &messages {
        reader.read(message.frame(), &mut events).unwrap();
    }
    match reader.finish(&mut events) {
        Ok(()) => Ok(events),
        Err(_) => Err(events),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A plain answer that Converse can hold is read as it was written, its arguments digit by digit.
    #[test]
    fn a_reply_survives(reply in reply()) {
        prop_assert_eq!(answer::read(&answer::write(&reply, &facts())).unwrap(), reply);
    }

    /// A conversation that Converse can hold is read as it was written, nothing is lost.
    #[test]
    fn a_conversation_survives(conversation in conversation()) {
        let written = request::write(&conversation, MODEL).unwrap();
        prop_assert_eq!(written.losses, []);
        prop_assert_eq!(request::read(&written.body).unwrap(), merged(conversation));
    }

    /// A stream put together is the plain answer, however its texts are cut and its parts overlap.
    #[test]
    fn a_stream_is_the_plain_answer(reply in reply(), size in 1_usize..9, woven in any::<bool>()) {
        let body = written(&assemble::events(&reply, size, woven));
        prop_assert_eq!(grammar::check(&body), Ok(Verdict::Complete));
        prop_assert_eq!(assemble::assemble(read(&body).unwrap()), reply);
    }

    /// I9: a stream cut after any byte, or whose `End` never came, is not complete.
    #[test]
    fn a_cut_stream_is_incomplete(reply in reply(), cut in any::<proptest::sample::Index>()) {
        let events = assemble::events(&reply, 4, true);
        let broken = written(&events[..cut.index(events.len())]);
        prop_assert_eq!(grammar::check(&broken), Ok(Verdict::Incomplete));
        prop_assert!(read(&broken).is_err());
        let body = written(&events);
        let broken = &body[..cut.index(body.len())];
        prop_assert_eq!(grammar::check(broken), Ok(Verdict::Incomplete));
        prop_assert!(read(broken).is_err());
    }

    /// A9: an exception after any event is the last thing, and readers find it.
    #[test]
    fn an_error_ends_a_stream(
        reply in reply(),
        cut in any::<proptest::sample::Index>(),
        status in proptest::sample::select(vec![400, 402, 408, 424, 429, 500, 502, 503, 529]),
        message in "(.|\n|\r){0,20}",
    ) {
        let events = assemble::events(&reply, 4, false);
        let mut body = written(&events[..cut.index(events.len())]);
        let (kind, request_id) = ("server_error".into(), String::new());
        let fault = Fault { status, kind, code: None, param: None, message: message.clone(), request_id };
        body.extend(error::event(&fault));
        prop_assert_eq!(grammar::check(&body), Ok(Verdict::Failed));
        let told = read(&body).unwrap_err();
        let Some(Event::Error(told)) = told.last() else { panic!("no error") };
        let told: Value = serde_json::from_str(told).unwrap();
        prop_assert_eq!(&told["message"], &json!(message));
        let plain: Value = serde_json::from_slice(&error::plain(&fault)).unwrap();
        prop_assert_eq!(&plain["__type"], error::kind(&fault));
    }

    /// Hostile requests are refused or read, never a panic; what was read can be written or not.
    #[test]
    fn any_request_is_read_without_panic(one in any_json(WORDS), two in any_json(WORDS)) {
        let user = json!([{"role": "user", "content": [{"text": "x"}]}]);
        for body in [
            one.clone(),
            json!({"messages": one, "system": two}),
            json!({"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": [two]}]}),
            json!({"messages": [{"role": "user", "content": [{"document": one}, {"toolResult": two}]}]}),
            json!({"messages": user, "toolConfig": {"tools": one, "toolChoice": two}}),
            json!({"messages": user, "toolConfig": {"tools": [{"toolSpec": one}, two]}}),
            json!({"messages": user, "inferenceConfig": one, "x": two}),
            json!({"messages": user, "additionalModelRequestFields": one, "outputConfig": two}),
        ] {
            let Ok(mut conversation) = request::read(body.to_string().as_bytes()) else { continue };
            for origin in [conversation.origin, None] {
                conversation.origin = origin;
                let Ok(written) = request::write(&conversation, MODEL) else { continue };
                prop_assert!(serde_json::from_slice::<Value>(&written.body).is_ok());
            }
        }
    }

    /// Hostile answers and events are refused or read, never a panic; what was read makes a lawful stream.
    #[test]
    fn any_answer_is_read_without_panic(
        said in proptest::collection::vec((proptest::sample::select(EVENTS.to_vec()), any_json(WORDS), 0_u64..3), 0..12),
        one in any_json(WORDS),
    ) {
        for body in [
            one.clone(),
            json!({"output": {"message": {"content": [one]}}, "stopReason": "end_turn", "usage": one}),
            json!({"output": {"message": {"content": one}}, "stopReason": "tool_use"}),
            json!({"output": {"message": {"content": [{"toolUse": one}, {"image": one}]}}, "stopReason": "x"}),
        ] {
            if let Ok(reply) = answer::read(body.to_string().as_bytes()) {
                prop_assert!(serde_json::from_slice::<Value>(&answer::write(&reply, &facts())).is_ok());
            }
        }
        let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
        for (name, data, index) in &said {
            let call = json!({"toolUseId": data, "name": "f"});
            for data in [
                data.clone(),
                json!({"contentBlockIndex": index, "delta": data, "start": data}),
                json!({"contentBlockIndex": index, "delta": {"text": "a"}, "start": {"toolUse": call}}),
                json!({"contentBlockIndex": index, "delta": {"toolUse": data}, "start": {"image": call}}),
                json!({"contentBlockIndex": index, "stopReason": "end_turn", "start": {}, "delta": {"reasoningContent": data}}),
            ] {
                let data = data.to_string();
                let _ = reader.read(Frame { name, data: data.as_bytes() }, &mut events);
            }
        }
        let _ = reader.finish(&mut events);
        let body = written(&events);
        prop_assert!(grammar::check(&body).is_ok(), "{:?}", grammar::check(&body));
    }

    /// Bytes that are no JSON are refused.
    #[test]
    fn any_bytes_are_read_without_panic(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = request::read(&data);
        let _ = answer::read(&data);
        for name in EVENTS {
            let _ = stream::Reader::default().read(Frame { name, data: &data }, &mut Vec::new());
        }
    }
}
