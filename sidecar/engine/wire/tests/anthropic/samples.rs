//! Answers, conversations and JSON for properties.

use pointsman_wire::form::{
    Call, Choice, Conversation, Dialect, Effort, Finish, FinishReason, Format, Part, Payload,
    Reasoning, Reply, Role, Thinking, Tokens, Tool, ToolChoice, ToolResult, Turn,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The words that the readers look for.
pub(crate) const WORDS: &str = "type|text|role|user|assistant|system|content|source|base64|media_type|data|url|title|\
        thinking|signature|redacted_thinking|tool_use|tool_result|tool_use_id|id|name|input|is_error|\
        cache_control|ephemeral|ttl|tools|input_schema|strict|tool_choice|auto|any|tool|object|properties|\
        disable_parallel_tool_use|output_config|effort|format|json_schema|schema|enabled|adaptive|image|\
        budget_tokens|metadata|user_id|usage|input_tokens|output_tokens|cache_creation|error|message|index|\
        stop_reason|stop_sequence|stop_details|explanation|refusal|end_turn|delta|text_delta|partial_json|\
        content_block|INVALID_JSON|document|required|additionalProperties|caller|citations|a__thought___2f";

fn arguments() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<f64>().prop_map(Value::from),
        "(.|\n){0,12}".prop_map(Value::from),
        Just(json!({"in": {"deep": [1.5, null, true]}})),
    ];
    proptest::collection::vec(("[a-zA-Z\"}]{1,4}", value), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()).to_string())
}

fn thought(signature: Option<String>, text: String, redacted: bool) -> Payload {
    let text = if redacted { String::new() } else { text };
    Payload::Thinking(Thinking { text, signature, redacted, id: None })
}

fn call(name: String, arguments: String) -> Payload {
    Payload::Call(Call { name, arguments, ..Call::default() })
}

/// What Anthropic can hold.
fn lawful() -> impl Strategy<Value = Payload> {
    let signed = ("[A-Za-z0-9+/=]{1,9}", ".{0,9}", any::<bool>());
    prop_oneof![
        "[!-~](.|\n|\r){0,18}[!-~]".prop_map(Payload::Text),
        signed.prop_map(|(signature, text, redacted)| thought(Some(signature), text, redacted)),
        ("[a-zA-Z_-]{1,6}", arguments()).prop_map(|(name, arguments)| call(name, arguments)),
    ]
}

/// What any provider may say.
fn lawless() -> impl Strategy<Value = Payload> {
    let signature = proptest::option::of(".{0,4}");
    let words = ("[a-z]{1,3}", "(.|\n){0,9}", proptest::option::of("[a-z/=]{0,4}"), ".{0,5}");
    prop_oneof![
        lawful(),
        "(.|\n|\r){0,20}".prop_map(Payload::Text),
        ".{0,9}".prop_map(Payload::Refusal),
        (signature, ".{0,9}", any::<bool>())
            .prop_map(|(sign, text, redacted)| thought(sign, text, redacted)),
        words.prop_map(|(name, arguments, signature, id)| {
            Payload::Call(Call { id, name, arguments, signature, custom: false })
        }),
    ]
}

fn parts(payload: impl Strategy<Value = Payload>) -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(payload.prop_map(Part::from), 0..6)
}

/// Calls with ids of their own.
fn named(prefix: &str, mut parts: Vec<Part>) -> Vec<Part> {
    for (place, part) in parts.iter_mut().enumerate() {
        if let Payload::Call(call) = &mut part.payload {
            call.id = format!("toolu_{prefix}_{place}");
        }
    }
    parts
}

fn tokens() -> impl Strategy<Value = Tokens> {
    let tier = proptest::option::of(select(vec!["standard", "priority", "batch", "fast"]));
    (0_u64..1_000, 0_u64..1_000, 0_u64..1_000, 0_u64..1_000, 0_u64..9, tier).prop_map(
        |(fresh, cache_read, cache_write, output, few, tier)| Tokens {
            input: fresh + cache_read + cache_write + few,
            cache_read,
            cache_write,
            cache_write_long: few,
            output,
            reasoning: output / 2,
            web_searches: few,
            service_tier: tier.map(str::to_owned),
            ..Tokens::default()
        },
    )
}

fn finish() -> impl Strategy<Value = Finish> {
    use FinishReason as R;
    let of = |raw: &str, reason| Finish { reason, raw: raw.to_owned() };
    select(vec![
        of("end_turn", R::Stop),
        of("max_tokens", R::Length),
        of("stop_sequence", R::StopText(Some("END".into()))),
        of("stop_sequence", R::StopText(None)),
        of("tool_use", R::Calls),
        of("pause_turn", R::Pause),
        of("refusal", R::Refusal),
        of("model_context_window_exceeded", R::Window),
    ])
}

fn reply(parts: impl Strategy<Value = Vec<Part>>) -> impl Strategy<Value = Reply> {
    (parts, finish(), proptest::option::of(tokens())).prop_map(|(parts, finish, usage)| Reply {
        id: Some("msg_1".into()),
        model: Some("claude".into()),
        created: None,
        choices: vec![Choice { parts, finish }],
        usage,
    })
}

/// What Anthropic can hold as an answer.
pub(crate) fn lawful_reply() -> impl Strategy<Value = Reply> {
    reply(parts(lawful())).prop_map(|mut reply| {
        reply.usage.get_or_insert_default();
        let Choice { parts, finish } = &mut reply.choices[0];
        *parts = named("x", std::mem::take(parts));
        let calls = parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
        if calls && finish.reason == FinishReason::Stop {
            *finish = Finish { reason: FinishReason::Calls, raw: "tool_use".into() };
        }
        reply
    })
}

/// What any provider may answer.
pub(crate) fn any_reply() -> impl Strategy<Value = Reply> {
    use FinishReason as R;
    let odd = select(vec![("stop", R::Stop), ("SAFETY", R::Filter), ("odd", R::Other)]);
    (reply(parts(lawless())), proptest::option::of(odd)).prop_map(|(mut reply, odd)| {
        if let Some((raw, reason)) = odd {
            reply.choices[0].finish = Finish { reason, raw: raw.into() };
        }
        reply
    })
}

fn round() -> impl Strategy<Value = Vec<Turn>> {
    (".{0,5}[a-z]", parts(lawful()), "[a-z]{0,5}", any::<bool>(), "[0-9]{9}").prop_map(
        |(asked, parts, gave, failed, prefix)| {
            let parts = named(&prefix, parts);
            let user = |parts| Turn { role: Role::User, parts };
            let result = |part: &Part| match &part.payload {
                Payload::Call(call) => Some(Part::from(Payload::Result(ToolResult {
                    id: call.id.clone(),
                    name: Some(call.name.clone()),
                    parts: (!gave.is_empty()).then(|| Part::text(&gave)).into_iter().collect(),
                    failed,
                }))),
                _ => None,
            };
            let results: Vec<Part> = parts.iter().filter_map(result).collect();
            let turns = [
                user(vec![Part { cache: Some("1h".into()), ..Part::text(asked) }]),
                Turn { role: Role::Assistant, parts },
                user(results),
            ];
            turns.into_iter().filter(|turn| !turn.parts.is_empty()).collect()
        },
    )
}

fn wish() -> impl Strategy<Value = Option<Reasoning>> {
    let of = |effort, budget, adaptive, show| Some(Reasoning { effort, budget, adaptive, show });
    select(vec![
        None,
        of(Some(Effort::None), None, false, None),
        of(Some(Effort::Max), None, false, None),
        of(None, Some(2_000), false, Some(true)),
        of(Some(Effort::Low), Some(2_000), false, None),
        of(Some(Effort::High), None, true, Some(false)),
    ])
}

/// What Anthropic can hold as a request.
pub(crate) fn conversation() -> impl Strategy<Value = Conversation> {
    let tool = ("[a-z]{1,6}", proptest::option::of(".{0,9}"), any::<Option<bool>>());
    let tool = tool.prop_map(|(name, description, strict)| Tool {
        name,
        description,
        parameters: Some(json!({"type": "object", "properties": {"z": {}, "a": {}}})),
        strict,
        cache: strict.map(|_| String::new()),
        foreign: None,
    });
    let choice = select(vec![
        (Some(ToolChoice::Auto), Some(false)),
        (Some(ToolChoice::None), None),
        (Some(ToolChoice::Required), None),
        (Some(ToolChoice::Named("f".into())), Some(false)),
        (None, None),
    ]);
    let system = proptest::option::of("[a-z].{0,12}");
    let rounds = proptest::collection::vec(round(), 1..4);
    let tools = proptest::collection::vec(tool, 0..3);
    let extra = proptest::option::of(any::<i32>());
    (system, rounds, tools, choice, wish(), any::<(u32, Option<f32>, bool)>(), extra).prop_map(
        |(
            system,
            rounds,
            tools,
            (tool_choice, parallel_tools),
            reasoning,
            (cap, heat, schema),
            extra,
        )| {
            let system =
                system.map(|text| Turn { role: Role::System, parts: vec![Part::text(text)] });
            let mut conversation = Conversation {
                origin: Some(Dialect::AnthropicMessages),
                model: "claude-opus-5".into(),
                turns: system.into_iter().chain(rounds.into_iter().flatten()).collect(),
                tools,
                tool_choice,
                parallel_tools,
                stream: cap % 2 == 0,
                ..Conversation::default()
            };
            let settings = &mut conversation.settings;
            settings.max_output = Some(cap.into());
            settings.temperature = heat.and_then(|heat| serde_json::Number::from_f64(heat.into()));
            settings.stop = vec!["\n".into()];
            settings.user = Some("u".into());
            settings.reasoning = reasoning;
            if schema {
                let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
                settings.format =
                    Format::Schema { name: None, description: None, schema, strict: None };
            }
            if let Some(extra) = extra {
                conversation.extra.insert("inference_geo".into(), extra.into());
            }
            conversation
        },
    )
}
