//! What holds for any answer, any conversation and any bytes on Gemini's side.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use pointsman_wire::Fault;
use pointsman_wire::form::{
    Call, Choice, Conversation, Dialect, Event, Finish, FinishReason, Frame, Part, Payload,
    Reader as _, Reply, Role, Thinking, Tokens, Tool, ToolChoice, ToolResult, Turn, Writer as _,
};
use pointsman_wire::gemini::{answer, error, request, stream};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "support/any_json.rs"]
mod any_json;
#[path = "support/assemble.rs"]
mod assemble;
#[path = "support/facts.rs"]
mod facts;
#[path = "support/grammar_gemini.rs"]
mod grammar;

use any_json::any_json;
use facts::facts;
use grammar::Verdict;

/// The words that Gemini's readers look for as keys.
const WORDS: &str = "contents|parts|role|model|user|text|thought|thoughtSignature|functionCall|name|args|\
        functionResponse|response|inlineData|mimeType|data|fileData|fileUri|systemInstruction|tools|\
        functionDeclarations|parameters|type|properties|toolConfig|functionCallingConfig|mode|ANY|\
        generationConfig|topK|responseSchema|responseMimeType|thinkingConfig|thinkingBudget|candidates|\
        content|finishReason|STOP|index|usageMetadata|promptTokenCount|promptFeedback|blockReason|error|\
        system_instruction|partialArgs|jsonPath|willContinue|groundingMetadata|webSearchQueries|$.a[0]";

fn arguments() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::from),
        "[^\u{0}]{0,12}".prop_map(Value::from),
        proptest::collection::vec("[a-z]{0,3}", 0..3).prop_map(Value::from),
        Just(json!({"in": {"deep": [1.5, null, true]}})),
    ];
    proptest::collection::vec(("[a-zA-Z\"}]{1,4}", value), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()).to_string())
}

fn call() -> impl Strategy<Value = Payload> {
    let signature = proptest::option::of("[A-Za-z0-9+/]{4}");
    ("[a-z]{1,6}", arguments(), signature).prop_map(|(name, arguments, signature)| {
        Payload::Call(Call { name, arguments, signature, ..Call::default() })
    })
}

fn said() -> impl Strategy<Value = Payload> {
    prop_oneof![
        ".{1,20}".prop_map(Payload::Text),
        "(.|\n|\r){1,20}".prop_map(Payload::Text),
        ".{1,20}".prop_map(|text| Payload::Thinking(Thinking { text, ..Thinking::default() })),
        call(),
    ]
}

/// Parts whose neighbours are of different kinds, as a stream keeps them, their calls with ids of their own.
fn parts(prefix: &'static str) -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(said(), 0..5).prop_map(move |payloads| {
        let mut parts: Vec<Part> = Vec::new();
        for mut payload in payloads {
            if let Payload::Call(call) = &mut payload {
                call.id = format!("{prefix}{}", parts.len());
            }
            let same = parts.last().is_some_and(|part: &Part| {
                !matches!(payload, Payload::Call(_))
                    && std::mem::discriminant(&part.payload) == std::mem::discriminant(&payload)
            });
            if !same {
                parts.push(payload.into());
            }
        }
        parts
    })
}

fn choice() -> impl Strategy<Value = Choice> {
    let words = ["STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE"];
    (parts("c"), proptest::sample::select(words.to_vec())).prop_map(|(parts, raw)| {
        let calls = parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
        let reason = match raw {
            "STOP" if calls => FinishReason::Calls,
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY" | "RECITATION" => FinishReason::Filter,
            _ => FinishReason::Other,
        };
        Choice { parts, finish: Finish { reason, raw: raw.to_owned() } }
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let usage = (0_u64..1_000, 0_u64..1_000, 0_u64..1_000).prop_map(|(input, said, reasoning)| {
        let output = said + reasoning;
        Tokens { input, cache_read: input / 2, output, reasoning, ..Tokens::default() }
    });
    (proptest::collection::vec(choice(), 1..4), usage).prop_map(|(choices, usage)| Reply {
        id: Some("r1".into()),
        model: Some("gemini-3-flash".into()),
        created: None,
        choices,
        usage: Some(usage),
    })
}

fn turn() -> impl Strategy<Value = Vec<Turn>> {
    (".{1,12}", parts("h"), ".{0,12}", any::<bool>()).prop_map(|(asked, parts, gave, failed)| {
        let user = |parts| Turn { role: Role::User, parts };
        let results = parts.iter().filter_map(|part| match &part.payload {
            Payload::Call(call) => Some(Part::from(Payload::Result(ToolResult {
                id: call.id.clone(),
                name: Some(call.name.clone()),
                parts: Some(gave.as_str())
                    .filter(|gave| !gave.is_empty())
                    .map(Part::text)
                    .into_iter()
                    .collect(),
                failed,
            }))),
            _ => None,
        });
        let results: Vec<Part> = results.collect();
        let mut turns = vec![user(vec![Part::text(asked)])];
        if !parts.is_empty() {
            turns.push(Turn { role: Role::Assistant, parts });
        }
        if !results.is_empty() {
            turns.push(user(results));
        }
        turns
    })
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let tool = ("[a-z]{1,6}", proptest::option::of("[^\u{0}]{1,9}"), any::<bool>());
    let tool = tool.prop_map(|(name, description, bare)| Tool {
        name,
        description,
        parameters: (!bare).then(|| json!({"type": "object", "properties": {"z": {}, "a": {}}})),
        ..Tool::default()
    });
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named("f".into())),
        Just(ToolChoice::Allowed(vec!["f".into(), "g".into()], true)),
        Just(ToolChoice::Allowed(vec!["f".into()], false)),
    ];
    let system = proptest::option::of(".{1,12}");
    let turns = proptest::collection::vec(turn(), 1..3);
    (
        system,
        turns,
        proptest::collection::vec(tool, 1..3),
        choice,
        any::<Option<u32>>(),
        any::<Option<i32>>(),
    )
        .prop_map(|(system, turns, tools, choice, cap, seed)| {
            let system =
                system.map(|text| Turn { role: Role::System, parts: vec![Part::text(text)] });
            let mut conversation = Conversation {
                origin: Some(Dialect::Gemini),
                turns: system.into_iter().chain(turns.into_iter().flatten()).collect(),
                tools,
                tool_choice: Some(choice),
                ..Conversation::default()
            };
            conversation.settings.max_output = cap.map(u64::from);
            conversation.settings.seed = seed.map(i64::from);
            conversation
        })
}

fn written(events: &[Event], mut writer: stream::Writer) -> Vec<u8> {
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    out
}

fn read(body: &[u8]) -> Result<Vec<Event>, Vec<Event>> {
    let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
    let text = std::str::from_utf8(body).unwrap();
    for event in text.split("\r\n\r\n").filter(|event| !event.is_empty()) {
        let data = event.strip_prefix("data: ").unwrap().as_bytes();
        reader.read(Frame { name: "", data }, &mut events).unwrap();
    }
    match reader.finish(&mut events) {
        Ok(()) => Ok(events),
        Err(_) => Err(events),
    }
}

/// Turns of one speaker that follow one another are one after writing: so they are before comparing.
fn merged(mut conversation: Conversation) -> Conversation {
    let results =
        |turn: &Turn| turn.parts.iter().any(|part| matches!(part.payload, Payload::Result(_)));
    let mut turns: Vec<Turn> = Vec::new();
    for turn in conversation.turns {
        match turns.last_mut() {
            Some(last) if last.role == turn.role && results(last) == results(&turn) => {
                last.parts.extend(turn.parts);
            }
            _ => turns.push(turn),
        }
    }
    conversation.turns = turns;
    conversation
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A plain answer that Gemini can hold is read as it was written.
    #[test]
    fn a_reply_survives(reply in reply()) {
        prop_assert_eq!(answer::read(&answer::write(&reply, &facts())).unwrap(), reply);
    }

    /// A conversation that Gemini can hold is read as it was written, nothing is lost.
    #[test]
    fn a_conversation_survives(conversation in conversation()) {
        let written = request::write(&conversation, "gemini-3-flash").unwrap();
        prop_assert_eq!(written.losses, []);
        prop_assert_eq!(request::read(&written.body).unwrap(), merged(conversation));
    }

    /// A stream put together is the plain answer, however its texts are cut and its parts overlap.
    #[test]
    fn a_stream_is_the_plain_answer(reply in reply(), size in 1_usize..9, woven in any::<bool>()) {
        let events = assemble::events(&reply, size, woven);
        let body = written(&events, stream::Writer::new(facts()));
        prop_assert_eq!(grammar::events(&body), Ok(Verdict::Complete));
        prop_assert_eq!(assemble::assemble(read(&body).unwrap()), reply);
        let body = written(&events, stream::Writer::array(facts()));
        prop_assert_eq!(grammar::array(&body), Ok(Verdict::Complete));
        let chunks: Vec<Value> = serde_json::from_slice(&body).unwrap();
        prop_assert!(chunks.last().unwrap()["candidates"][0]["finishReason"].is_string());
    }

    /// I9: a stream cut after any byte, or whose `End` never came, is not complete, in either framing.
    #[test]
    fn a_cut_stream_is_incomplete(reply in reply(), cut in any::<proptest::sample::Index>()) {
        let events = assemble::events(&reply, 4, true);
        let broken = &events[..cut.index(events.len())];
        for (writer, check, whole) in [
            (stream::Writer::new(facts()), grammar::events as fn(&[u8]) -> _, stream::Writer::new(facts())),
            (stream::Writer::array(facts()), grammar::array, stream::Writer::array(facts())),
        ] {
            prop_assert_eq!(check(&written(broken, writer)), Ok(Verdict::Incomplete));
            let body = written(&events, whole);
            prop_assert_eq!(check(&body[..cut.index(body.len())]), Ok(Verdict::Incomplete));
        }
        prop_assert!(read(&written(broken, stream::Writer::new(facts()))).is_err());
    }

    /// A9: an error after any event is the last thing, and SDKs find it.
    #[test]
    fn an_error_ends_a_stream(reply in reply(), cut in any::<proptest::sample::Index>(), message in "(.|\n|\r){0,20}") {
        let fault = Fault {
            status: 503,
            kind: "server_error".into(),
            code: None,
            param: None,
            message,
            request_id: String::new(),
        };
        let events = assemble::events(&reply, 4, false);
        let broken = &events[..cut.index(events.len())];
        let mut body = written(broken, stream::Writer::new(facts()));
        body.extend(error::event(&fault));
        prop_assert_eq!(grammar::events(&body), Ok(Verdict::Failed));
        let told = read(&body).unwrap_err();
        prop_assert!(matches!(told.last(), Some(Event::Error(_))));
        let mut body = written(broken, stream::Writer::array(facts()));
        if !body.is_empty() {
            body.extend(error::element(&fault));
            prop_assert_eq!(grammar::array(&body), Ok(Verdict::Failed));
        }
    }

    /// Hostile requests are refused or read, never a panic; what was read can be written or not.
    #[test]
    fn any_request_is_read_without_panic(one in any_json(WORDS), two in any_json(WORDS)) {
        for body in [
            one.clone(),
            json!({"contents": one}),
            json!({"contents": [{"role": "model", "parts": one}, {"parts": two}]}),
            json!({"contents": {"parts": [one, {"functionCall": two}, {"functionResponse": one}]}}),
            json!({"contents": {"parts": {"text": "x"}}, "tools": one, "toolConfig": two}),
            json!({"contents": {"parts": {"text": "x"}}, "generationConfig": one, "x": two}),
            json!({"contents": {"parts": {"text": "x"}}, "generationConfig": {"responseSchema": one}}),
            json!({"contents": {"parts": {"text": "x"}}, "systemInstruction": one}),
        ] {
            let Ok(conversation) = request::read(body.to_string().as_bytes()) else { continue };
            for model in ["gemini-2.5-pro", "gemini-3-flash"] {
                let Ok(written) = request::write(&conversation, model) else { continue };
                prop_assert!(serde_json::from_slice::<Value>(&written.body).is_ok());
            }
        }
    }

    /// Hostile answers and chunks are refused or read, never a panic; what was read makes a lawful stream.
    #[test]
    fn any_answer_is_read_without_panic(one in any_json(WORDS), two in any_json(WORDS)) {
        let candidate = |parts: &Value| json!({"content": {"parts": parts}, "finishReason": "STOP"});
        let bodies = [
            one.clone(),
            json!({"candidates": one, "usageMetadata": two}),
            json!({"candidates": [candidate(&one), candidate(&two)], "promptFeedback": two}),
            json!({"candidates": [candidate(&json!([one, two, {"functionCall": one}]))]}),
            json!({"candidates": [{"content": one, "finishReason": two, "index": 1}]}),
        ];
        let bodies: Vec<String> = bodies.iter().map(Value::to_string).collect();
        for body in &bodies {
            if let Ok(reply) = answer::read(body.as_bytes()) {
                let _ = answer::write(&reply, &facts());
            }
        }
        let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
        for data in &bodies {
            let _ = reader.read(Frame { name: "", data: data.as_bytes() }, &mut events);
        }
        let _ = reader.finish(&mut events);
        let body = written(&events, stream::Writer::new(facts()));
        prop_assert!(grammar::events(&body).is_ok(), "{}", String::from_utf8_lossy(&body));
    }

    /// Bytes that are no JSON are refused.
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = request::read(&bytes);
        let _ = answer::read(&bytes);
        let _ = stream::Reader::default().read(Frame { name: "", data: &bytes }, &mut Vec::new());
    }
}
