//! Requests both ways: what Anthropic's API would refuse is never written, what does not fit is said.

use pointsman_wire::anthropic_messages::request::{read, write};
use pointsman_wire::form::{
    Conversation, Format, Media, MediaKind, Payload, Role, Source, Tool, ToolChoice,
};
use serde_json::{Number, Value, json};

use crate::build::{body, body_for, call, hello, of, refusal, result, said, text, tools, turn};

/// Everything that Anthropic's own requests say comes back as it was, unknown members and order included.
#[test]
fn an_own_request_comes_back_whole() {
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}, "required": ["z"]});
    let original = json!({
        "model": "claude-opus-5", "max_tokens": 1000,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "t"},
                {"type": "document", "source": {"type": "content", "content": "c"}, "title": "whole"},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
                {"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig+/="},
                {"type": "redacted_thinking", "data": "blob"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": 1}},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 1.5}},
                {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "r"}], "is_error": true},
                {"type": "tool_result", "tool_use_id": "t2"},
                {"type": "text", "text": "go on"},
            ]},
            {"role": "system", "content": [{"type": "text", "text": "mid"}]},
        ],
        "tools": [
            {"name": "f", "description": "d", "input_schema": schema, "strict": true, "cache_control": {"type": "ephemeral"}},
            {"name": "g", "input_schema": {"type": "object"}},
            {"name": "web_search", "max_uses": 3, "type": "web_search_20250305"},
        ],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": schema}},
        "stop_sequences": ["\n", "END"], "temperature": 0.7, "top_p": 0.9, "top_k": 5,
        "metadata": {"user_id": "u"}, "service_tier": "standard_only", "stream": true,
        "speed": "fast", "container": "c_1", "cache_control": {"type": "ephemeral"},
    });
    let conversation = read(original.to_string().as_bytes()).unwrap();
    let (written, losses) = body_for(&conversation, "claude-opus-5");
    assert_eq!(written, original);
    assert_eq!(losses, Vec::<String>::new());
    let schema_text = serde_json::to_string(&written["tools"][0]["input_schema"]).unwrap();
    assert_eq!(schema_text, schema.to_string());
}

/// What the form cannot hold is named where it stood.
#[test]
fn what_the_form_cannot_hold_is_named() {
    let conversation = read(
        json!({
            "model": "m", "max_tokens": 1,
            "messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "url", "url": "u"}, "context": "c", "citations": {"enabled": true}},
                {"type": "text", "text": "t", "citations": []},
            ], "weight": 1}],
            "tools": [{"name": "f", "input_schema": {}, "defer_loading": true, "type": "custom"}],
            "metadata": {"tag": 1}, "thinking": {"type": "between_tools"},
        })
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    let paths: Vec<&str> = conversation.lost.iter().map(|loss| loss.path.as_str()).collect();
    let expected = [
        "messages[0].content[0].citations",
        "messages[0].content[0].context",
        "messages[0].weight",
        "tools[0].defer_loading",
        "metadata.tag",
        "thinking.type",
    ];
    assert_eq!(paths, expected);
}

/// A request that is not of the dialect's shape names the member.
#[test]
fn an_unreadable_request_names_the_member() {
    let table = [
        (json!([]), "body"),
        (json!({"model": "m", "messages": []}), "max_tokens"),
        (json!({"max_tokens": 1, "messages": []}), "model"),
        (json!({"model": "m", "max_tokens": -1, "messages": []}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 1}), "messages"),
        (json!({"model": "m", "max_tokens": 1, "messages": [1]}), "messages[0]"),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": ""}]}),
            "messages[0].role",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user"}]}),
            "messages[0].content",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": "x"}]}]}),
            "messages[0].content[0].input",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}),
            "system",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "tool_choice": {"type": "must"}}),
            "tool_choice.type",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "tools": [{"name": "f"}]}),
            "tools[0].input_schema",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "thinking": {"type": "enabled"}}),
            "thinking.budget_tokens",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "output_config": {"format": {"type": "json"}}}),
            "output_config.format.type",
        ),
    ];
    for (body, path) in table {
        assert_eq!(read(body.to_string().as_bytes()).unwrap_err().path, path, "{body}");
    }
}

fn media(kind: MediaKind, source: Source) -> Conversation {
    let media = Media { kind, source, name: None, detail: Some("high".into()) };
    of([turn(Role::User, [Payload::Media(media)])])
}

fn inline(media_type: &str, data: &str) -> Source {
    Source::Inline { media_type: media_type.into(), data: data.into() }
}

/// A11: images by address or content; what this provider cannot take is refused, nothing is fetched.
#[test]
fn media_go_as_they_may() {
    let (body, losses) =
        body_for(&media(MediaKind::Image, inline("image/jpg", "AA==")), "claude-opus-5");
    let source = json!({"type": "base64", "media_type": "image/jpeg", "data": "AA=="});
    assert_eq!(body["messages"][0]["content"][0]["source"], source);
    assert_eq!(losses, ["image_url.detail"]);
    let source = |kind, source| {
        body_for(&media(kind, source), "c").0["messages"][0]["content"][0]["source"].clone()
    };
    assert_eq!(
        source(MediaKind::Image, Source::Url("u".into())),
        json!({"type": "url", "url": "u"})
    );
    assert_eq!(
        source(MediaKind::Document, inline("text/csv", "YSxi")),
        json!({"type": "text", "media_type": "text/plain", "data": "a,b"})
    );
    assert_eq!(
        source(MediaKind::Document, inline("application/pdf", "AA==")),
        json!({"type": "base64", "media_type": "application/pdf", "data": "AA=="})
    );
    let refused = [
        (MediaKind::Image, inline("image/tiff", "AA==")),
        (MediaKind::Image, Source::File("file-1".into())),
        (MediaKind::Document, inline("text/plain", "no base64!")),
        (MediaKind::Document, inline("application/zip", "AA==")),
        (MediaKind::Audio, inline("audio/wav", "AA==")),
        (MediaKind::Video, Source::Url("u".into())),
    ];
    for (kind, source) in refused {
        assert_eq!(refusal(&media(kind, source)).path, "messages[0]");
    }
}

/// Choices of tools in Anthropic's words.
#[test]
fn choices_of_tools_are_translated() {
    let table = [
        (None, None, Value::Null),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Auto), Some(true), json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (Some(ToolChoice::Named("g".into())), None, json!({"type": "tool", "name": "g"})),
        (Some(ToolChoice::Allowed(vec!["g".into()], true)), None, json!({"type": "any"})),
    ];
    for (tool_choice, parallel_tools, expected) in table {
        let restricted = matches!(tool_choice, Some(ToolChoice::Allowed(..)));
        let conversation = Conversation { tools: tools(), tool_choice, parallel_tools, ..hello() };
        let body = body(&conversation);
        assert_eq!(body.get("tool_choice").cloned().unwrap_or_default(), expected);
        assert_eq!(body["tools"].as_array().unwrap().len(), if restricted { 1 } else { 2 });
    }
    let none = Conversation { tool_choice: Some(ToolChoice::Required), ..hello() };
    assert_eq!(refusal(&none).path, "tool_choice");
}

/// Tools keep their schema, get one where they have none, and are refused where nobody could run them.
#[test]
fn tools_are_translated() {
    let one = |tool: Tool| Conversation { tools: vec![tool], ..hello() };
    let tool =
        |parameters| Tool { name: "f".into(), parameters, strict: Some(false), ..Tool::default() };
    let schema = |parameters| body(&one(tool(parameters)))["tools"][0].clone();
    assert_eq!(
        schema(None),
        json!({"name": "f", "input_schema": {"type": "object", "properties": {}}})
    );
    let untyped = json!({"properties": {"a": {"$ref": "#/$defs/x"}}});
    assert_eq!(schema(Some(untyped))["input_schema"]["type"], "object");
    assert_eq!(refusal(&one(tool(Some(json!({"type": "array"}))))).path, "tools[0]");
    let named = Tool { name: "a.b".into(), ..Tool::default() };
    assert_eq!(refusal(&one(named)).path, "tools[0]");
    let hosted =
        Tool { name: "s".into(), foreign: Some(json!({"type": "web_search"})), ..Tool::default() };
    assert_eq!(refusal(&one(hosted)).path, "tools[0]");
    let strict = Tool { name: "f".into(), strict: Some(true), ..Tool::default() };
    assert_eq!(body(&one(strict.clone()))["tools"][0]["strict"], true);
    let (old, losses) = body_for(&one(strict), "claude-3-5-haiku-20241022");
    assert_eq!((old["tools"][0].get("strict"), losses), (None, vec!["tools.strict".to_owned()]));
    let parameters = Some(json!({"type": "object"}));
    let open = Tool { name: "f".into(), strict: Some(true), parameters, ..Tool::default() };
    assert_eq!(body_for(&one(open), "claude-opus-5").1, ["tools.strict"]);
}

/// Tools that the caller took away and the history calls are named again, and may not be called.
#[test]
fn withdrawn_tools_are_named_again() {
    let conversation = of([
        turn(Role::User, [text("q")]),
        turn(Role::Assistant, [call("a", "f", ""), call("b", "f", "")]),
        turn(Role::User, [result("a", "r"), result("b", "r")]),
    ]);
    let body = body(&conversation);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&body["tools"][0]["name"], &body["tool_choice"]),
        (&json!("f"), &json!({"type": "none"}))
    );
}

/// Settings that only tune are losses; usual values say nothing; what Anthropic would refuse is fitted.
#[test]
fn settings_are_fitted() {
    let mut conversation = hello();
    let settings = &mut conversation.settings;
    settings.temperature = Number::from_f64(1.7);
    settings.top_p = Number::from_f64(0.5);
    settings.stop = vec!["\n".into(), "END".into()];
    settings.n = Some(1);
    settings.seed = Some(1);
    settings.presence_penalty = Some(0.into());
    settings.frequency_penalty = Some(1.into());
    settings.logit_bias = Some(json!({}));
    settings.logprobs = Some(false);
    settings.metadata.insert("k".into(), "v".into());
    settings.service_tier = Some("flex".into());
    settings.user = Some("u".into());
    conversation.extra.insert("store".into(), true.into());
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    let expected = json!({
        "model": "claude-opus-5", "max_tokens": 4096,
        "messages": [{"role": "user", "content": said("hi")}],
        "stop_sequences": ["END"], "temperature": 1, "metadata": {"user_id": "u"},
    });
    assert_eq!(body, expected);
    let lost = [
        "store",
        "stop",
        "temperature",
        "top_p",
        "service_tier",
        "seed",
        "frequency_penalty",
        "metadata",
    ];
    assert_eq!(losses, lost);
}

/// What would be another kind of answer is refused, with the member's name.
#[test]
fn other_kinds_of_answers_are_refused() {
    let mut several = hello();
    several.settings.n = Some(2);
    assert_eq!(refusal(&several).path, "n");
    let mut sound = hello();
    sound.settings.modalities = vec!["audio".into()];
    assert_eq!(refusal(&sound).path, "modalities");
    let mut any = hello();
    any.settings.format = Format::Json;
    assert_eq!(refusal(&any).path, "response_format");
    let schema = Format::Schema {
        name: Some("n".into()),
        description: None,
        schema: json!({"type": "object", "properties": {"a": {}}}),
        strict: Some(true),
    };
    let mut held = hello();
    held.settings.format = schema;
    let closed = json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false});
    let expected = json!({"format": {"type": "json_schema", "schema": closed}});
    assert_eq!(body(&held)["output_config"], expected);
    let mut any_members = held.clone();
    if let Format::Schema { schema, .. } = &mut any_members.settings.format {
        *schema = json!({"type": "object"});
    }
    assert_eq!(refusal(&any_members).path, "response_format");
    assert_eq!(write(&held, "claude-3-7-sonnet-20250219").unwrap_err().path, "response_format");
}

/// A closed schema is asked for strictly of providers that hold to it only then.
#[test]
fn closed_schemas_are_strict() {
    let strict = |schema: Value| {
        let body = json!({"model": "m", "max_tokens": 1, "messages": [], "output_config": {"format": {"type": "json_schema", "schema": schema}}});
        let conversation = read(body.to_string().as_bytes()).unwrap();
        let Format::Schema { strict, .. } = conversation.settings.format else { panic!() };
        strict
    };
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    assert_eq!(strict(closed.clone()), Some(true));
    let optional = json!({"type": "object", "properties": {"a": closed, "b": {}}, "required": ["a"], "additionalProperties": false});
    assert_eq!(strict(optional), None);
    assert_eq!(strict(json!({"type": "array", "items": {"type": "object"}})), None);
}

/// State and tools that Anthropic alone holds are refused elsewhere, and kept here.
#[test]
fn what_only_anthropic_can_do_is_named() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "q"}],
        "mcp_servers": [{"url": "u"}], "container": "c", "speed": "fast"});
    let conversation = read(body.to_string().as_bytes()).unwrap();
    assert_eq!(conversation.state, ["container", "mcp_servers"]);
    assert_eq!(crate::build::body(&conversation)["container"], "c");
    let elsewhere = pointsman_wire::openai_chat::request::write(&conversation, "m");
    assert_eq!(elsewhere.unwrap_err().path, "container");
}
