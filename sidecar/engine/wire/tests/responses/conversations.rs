//! What holds for any conversation: what Responses can hold survives, and nothing else goes in silence.

use pointsman_wire::form::{
    Call, Conversation, Dialect, Effort, Format, Media, MediaKind, Part, Payload, Reasoning, Role,
    Settings, Source, Thinking, Tool, ToolChoice, ToolResult, Turn, Verbosity,
};
use pointsman_wire::openai_responses::request;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \\n\"\\\\]{1,12}", "\\PC{1,8}", any::<String>().prop_map(|text| text + ".")]
}

fn media() -> impl Strategy<Value = Media> {
    let (image, document) = (MediaKind::Image, MediaKind::Document);
    let inline = |media_type: &str, data: String| {
        let media_type = media_type.to_owned();
        Source::Inline { media_type, data }
    };
    let of = |kind, source, name, detail| Media { kind, source, name, detail };
    let detail = || prop::option::of(Just("low".to_owned()));
    prop_oneof![
        ("[A-Za-z0-9+/]{4}", detail()).prop_map(move |(data, detail)| of(
            image,
            inline("image/png", data),
            None,
            detail
        )),
        ("https://[a-z]{1,5}", detail()).prop_map(move |(url, detail)| of(
            image,
            Source::Url(url),
            None,
            detail
        )),
        "file-[a-z]{1,5}".prop_map(move |id| of(image, Source::File(id), None, None)),
        ("[A-Za-z0-9+/]{4}", "[a-z]{1,5}").prop_map(move |(data, name)| of(
            document,
            inline("application/pdf", data),
            Some(name),
            None
        )),
        "https://[a-z]{1,5}".prop_map(move |url| of(document, Source::Url(url), None, None)),
        "file-[a-z]{1,5}".prop_map(move |id| of(document, Source::File(id), None, None)),
        "[A-Za-z0-9+/]{4}".prop_map(move |data| of(
            MediaKind::Audio,
            inline("audio/wav", data),
            None,
            None
        )),
    ]
}

/// What a user says.
fn said() -> impl Strategy<Value = Vec<Part>> {
    let payload =
        prop_oneof![3 => texts().prop_map(Payload::Text), 1 => media().prop_map(Payload::Media)];
    let cache = prop::option::weighted(0.2, prop_oneof![Just(String::new()), Just("30m".into())]);
    prop::collection::vec(
        (payload, cache).prop_map(|(payload, cache)| Part { payload, cache }),
        1..4,
    )
}

/// What a model says and calls.
fn answered() -> impl Strategy<Value = Vec<Payload>> {
    let thinking =
        (prop::option::of(texts()), prop::option::of("[A-Za-z0-9+/=]{1,8}"), "rs_[a-z]{1,3}");
    let thinking = thinking.prop_map(|(text, signature, id)| {
        let (text, id) = (text.unwrap_or_default(), Some(id));
        Payload::Thinking(Thinking { text, signature, redacted: false, id })
    });
    let call =
        ("[a-z]{1,5}", "\\{[a-z\":]{0,5}", any::<bool>()).prop_map(|(name, arguments, custom)| {
            let id = String::new(); // numbered below
            Payload::Call(Call { id, name, arguments, custom, signature: None })
        });
    let part = prop_oneof![
        texts().prop_map(Payload::Text),
        texts().prop_map(Payload::Refusal),
        thinking,
        call,
    ];
    prop::collection::vec(part, 1..5)
}

/// A user's turn, a model's turn and the results of its calls, several times.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let round = (said(), answered(), prop::option::weighted(0.3, texts()));
    let rounds = prop::collection::vec(round, 1..4);
    (prop::option::of(texts()), rounds).prop_map(|(system, rounds)| {
        let turn = |role, parts| Turn { role, parts };
        let mut turns = Vec::new();
        let mut calls = 0;
        turns.extend(system.map(|text| turn(Role::System, vec![Part::text(text)])));
        for (said, mut answered, late) in rounds {
            turns.push(turn(Role::User, said));
            let mut results = Vec::new();
            for payload in &mut answered {
                if let Payload::Call(call) = payload {
                    call.id = format!("c{calls}");
                    calls += 1;
                    let (id, name) = (call.id.clone(), Some(call.name.clone()));
                    let parts = vec![Part::text(call.arguments.clone())];
                    results.push(
                        Payload::Result(ToolResult { id, name, parts, failed: false }).into(),
                    );
                }
            }
            turns.push(turn(Role::Assistant, answered.into_iter().map(Part::from).collect()));
            if !results.is_empty() {
                turns.push(turn(Role::User, results));
            }
            turns.extend(late.map(|text| turn(Role::System, vec![Part::text(text)])));
        }
        turns
    })
}

prop_compose! {
    fn settings()(
        max_output in prop::option::of(any::<u64>()),
        temperature in prop::option::of((0.0..2.0).prop_map(|t| Number::from_f64(t).unwrap())),
        effort in prop::option::of(prop::sample::select(vec![
            Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max,
        ])),
        show in prop::option::of(Just(true)),
        verbosity in prop::option::of(prop::sample::select(vec![Verbosity::Low, Verbosity::Medium, Verbosity::High])),
        schema in prop::option::of("[a-z]{1,5}"),
        (logprobs, top_logprobs) in (prop::option::of(Just(true)), prop::option::of(0..20_u64)),
        user in prop::option::of(texts()),
        metadata in prop::collection::btree_map("[a-z]{1,3}", texts().prop_map(Value::from), 0..3),
        service_tier in prop::option::of(prop::sample::select(vec!["auto".to_owned(), "flex".to_owned()])),
    ) -> Settings {
        let format = schema.map_or(Format::Text, |name| Format::Schema {
            schema: json!({"type": "object", "properties": {&name: {}, "a": {}}}),
            name: Some(name), description: None, strict: Some(true),
        });
        let asked = effort.is_some() || show.is_some();
        let reasoning = asked.then_some(Reasoning { effort, show, ..Reasoning::default() });
        Settings {
            max_output, temperature, verbosity, format, reasoning, logprobs, top_logprobs, user, service_tier,
            metadata: metadata.into_iter().collect::<Map<_, _>>(), ..Settings::default()
        }
    }
}

prop_compose! {
    fn conversations()(
        turns in turns(),
        settings in settings(),
        names in prop::collection::vec("[a-z]{1,5}", 0..3),
        choice in prop::option::of(0..5_usize),
        parallel in prop::option::of(any::<bool>()),
        stream in any::<bool>(),
    ) -> Conversation {
        let tool = |name: &String| Tool {
            name: name.clone(), description: Some("d".into()),
            parameters: Some(json!({"type": "object"})), strict: Some(false), ..Tool::default()
        };
        let (tools, some) = (names.iter().map(tool).collect(), !names.is_empty());
        let choices = [
            ToolChoice::Auto, ToolChoice::None, ToolChoice::Required,
            ToolChoice::Named(names.first().cloned().unwrap_or_default()),
            ToolChoice::Allowed(names, true),
        ];
        Conversation {
            origin: Some(Dialect::OpenAiResponses), model: "m".into(), turns, tools, settings, stream,
            tool_choice: choice.filter(|_| some).map(|choice| choices[choice].clone()),
            parallel_tools: parallel.filter(|_| some), ..Conversation::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A conversation of Responses' own comes back as it was, signatures byte for byte.
    #[test]
    fn a_conversation_survives(conversation in conversations()) {
        let written = request::write(&conversation, "m").unwrap();
        prop_assert_eq!(&written.losses, &[]);
        prop_assert_eq!(request::read(&written.body).unwrap(), conversation);
    }

    /// Of another dialect's, only what is said to be lost is lost; signatures never go along.
    #[test]
    fn a_foreign_conversation_loses_nothing_in_silence(mut conversation in conversations()) {
        conversation.origin = Some(Dialect::AnthropicMessages);
        let is_file = |part: &Part| {
            matches!(&part.payload, Payload::Media(Media { source: Source::File(_), .. }))
        };
        let has = |fits: &dyn Fn(&Part) -> bool| {
            conversation.turns.iter().flat_map(|turn| &turn.parts).any(fits)
        };
        let written = match request::write(&conversation, "m") {
            Ok(written) => written,
            Err(cannot) => {
                prop_assert!(has(&is_file), "{}", cannot);
                return Ok(());
            }
        };
        let lost = |path: &str| written.losses.iter().any(|loss| loss.path == path);
        prop_assert_eq!(lost("cache_control"), has(&|part| part.cache.is_some()));
        prop_assert_eq!(lost("thinking"), has(&|part| matches!(part.payload, Payload::Thinking(_))));
        let mut expected = conversation.clone();
        expected.origin = Some(Dialect::OpenAiResponses);
        (expected.settings.logprobs, expected.settings.top_logprobs) = (None, None);
        for turn in &mut expected.turns {
            turn.parts.retain(|part| !matches!(part.payload, Payload::Thinking(_)));
            turn.parts.iter_mut().for_each(|part| part.cache = None);
        }
        expected.turns.retain(|turn| !turn.parts.is_empty());
        prop_assert_eq!(request::read(&written.body).unwrap(), expected);
    }
}
