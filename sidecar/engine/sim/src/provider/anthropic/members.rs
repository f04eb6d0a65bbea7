//! The members of a Messages request.

use super::super::shape::{Field, Shape, may, must};

const MANY: usize = 100_000;

macro_rules! cached {
    ($($field:expr),* $(,)?) => {
        &[may("cache_control", Shape::Tagged("type", CACHE_KINDS)), $($field),*]
    };
}

static CACHE_KINDS: &[(&str, &[Field])] =
    &[("ephemeral", &[may("ttl", Shape::Word(&["5m", "1h"]))])];

static IMAGE_SOURCES: &[(&str, &[Field])] = &[
    (
        "base64",
        &[
            must(
                "media_type",
                Shape::Word(&["image/jpeg", "image/png", "image/gif", "image/webp"]),
            ),
            must("data", Shape::Filled),
        ],
    ),
    ("url", &[must("url", Shape::Filled)]),
    ("file", &[must("file_id", Shape::Filled)]),
];

static DOCUMENT_SOURCES: &[(&str, &[Field])] = &[
    (
        "base64",
        &[must("media_type", Shape::Word(&["application/pdf"])), must("data", Shape::Filled)],
    ),
    ("text", &[must("media_type", Shape::Word(&["text/plain"])), must("data", Shape::Filled)]),
    (
        "content",
        &[must("content", Shape::Either(&[Shape::Text, Shape::List(&RESULT_BLOCK, 0, MANY)]))],
    ),
    ("url", &[must("url", Shape::Filled)]),
    ("file", &[must("file_id", Shape::Filled)]),
];

static TEXT: &[Field] = cached![must("text", Shape::Text), may("citations", Shape::Any)];
static IMAGE: &[Field] = cached![
    must("source", Shape::Tagged("type", IMAGE_SOURCES)),
    may("transformations", Shape::Object)
];
static DOCUMENT: &[Field] = cached![
    must("source", Shape::Tagged("type", DOCUMENT_SOURCES)),
    may("title", Shape::Text),
    may("context", Shape::Text),
    may("citations", Shape::Object),
];
static SEARCH_RESULT: &[Field] = cached![
    must("source", Shape::Text),
    must("title", Shape::Text),
    must("content", Shape::List(&TEXT_BLOCK, 1, MANY)),
    may("citations", Shape::Object),
];

static SERVER_RESULT: &[Field] = cached![
    must("tool_use_id", Shape::Filled),
    must("content", Shape::Any),
    may("caller", Shape::Object),
];

static TEXT_BLOCK: Shape = Shape::Tagged("type", &[("text", TEXT)]);

/// What a tool's result may hold.
static RESULT_BLOCK: Shape = Shape::Tagged(
    "type",
    &[("text", TEXT), ("image", IMAGE), ("document", DOCUMENT), ("search_result", SEARCH_RESULT)],
);

static BLOCK: Shape = Shape::Tagged(
    "type",
    &[
        ("text", TEXT),
        ("image", IMAGE),
        ("document", DOCUMENT),
        ("search_result", SEARCH_RESULT),
        ("thinking", &[must("thinking", Shape::Text), must("signature", Shape::Text)]),
        ("redacted_thinking", &[must("data", Shape::Filled)]),
        (
            "tool_use",
            cached![
                must("id", Shape::Filled),
                must("name", Shape::Filled),
                must("input", Shape::Object),
                may("caller", Shape::Object),
                may("toolset_name", Shape::Text),
            ],
        ),
        (
            "tool_result",
            cached![
                must("tool_use_id", Shape::Filled),
                may("content", Shape::Either(&[Shape::Text, Shape::List(&RESULT_BLOCK, 0, MANY)])),
                may("is_error", Shape::Flag),
                may("toolset_name", Shape::Text),
            ],
        ),
        (
            "server_tool_use",
            cached![
                must("id", Shape::Filled),
                must("name", Shape::Filled),
                must("input", Shape::Object),
                may("caller", Shape::Object),
            ],
        ),
        ("web_search_tool_result", SERVER_RESULT),
        ("web_fetch_tool_result", SERVER_RESULT),
        ("code_execution_tool_result", SERVER_RESULT),
        ("bash_code_execution_tool_result", SERVER_RESULT),
        ("text_editor_code_execution_tool_result", SERVER_RESULT),
        ("tool_search_tool_result", SERVER_RESULT),
        ("container_upload", cached![must("file_id", Shape::Filled)]),
    ],
);

static MESSAGE: Shape = Shape::Fields(&[
    must("role", Shape::Word(&["user", "assistant", "system"])),
    must("content", Shape::Either(&[Shape::Text, Shape::List(&BLOCK, 0, MANY)])),
]);

static OWN_TOOL: &[Field] = cached![
    must("name", Shape::Filled),
    must("input_schema", Shape::Object),
    may("description", Shape::Text),
    may("strict", Shape::Flag),
    may("defer_loading", Shape::Flag),
    may("eager_input_streaming", Shape::Flag),
    may("allowed_callers", Shape::List(&Shape::Text, 0, 9)),
    may("input_examples", Shape::List(&Shape::Object, 0, 99)),
];

/// Tools that the provider runs have members of their own.
static TOOL: Shape = Shape::Tagged("type", &[("", OWN_TOOL), ("custom", OWN_TOOL), ("*", &[])]);

const PARALLEL: Field = may("disable_parallel_tool_use", Shape::Flag);

static TOOL_CHOICES: &[(&str, &[Field])] = &[
    ("auto", &[PARALLEL]),
    ("any", &[PARALLEL]),
    ("tool", &[must("name", Shape::Filled), PARALLEL]),
    ("none", &[]),
];

const DISPLAY: Field = may("display", Shape::Word(&["summarized", "omitted"]));

static THINKING: &[(&str, &[Field])] = &[
    ("enabled", &[must("budget_tokens", Shape::Whole(1024, i64::MAX)), DISPLAY]),
    ("disabled", &[]),
    ("adaptive", &[DISPLAY]),
    ("between_tools", &[]),
];

static OUTPUT: &[Field] = &[
    may("effort", Shape::Word(&["low", "medium", "high", "xhigh", "max"])),
    may("format", Shape::Tagged("type", &[("json_schema", &[must("schema", Shape::Object)])])),
];

macro_rules! request {
    ($($field:expr),* $(,)?) => {
        Shape::Fields(&[
            must("model", Shape::Filled),
            must("messages", Shape::List(&MESSAGE, 1, MANY)),
            may("system", Shape::Either(&[Shape::Text, Shape::List(&TEXT_BLOCK, 0, MANY)])),
            may("tools", Shape::List(&TOOL, 0, MANY)),
            may("tool_choice", Shape::Tagged("type", TOOL_CHOICES)),
            may("thinking", Shape::Tagged("type", THINKING)),
            may("output_config", Shape::Fields(OUTPUT)),
            may("cache_control", Shape::Tagged("type", CACHE_KINDS)),
            may("context_management", Shape::Object),
            may("mcp_servers", Shape::List(&Shape::Object, 0, 20)),
            may("speed", Shape::Word(&["standard", "fast"])),
            $($field),*
        ])
    };
}

/// `POST /v1/messages`.
pub(super) static REQUEST: Shape = request![
    must("max_tokens", Shape::Whole(1, i64::MAX)),
    may("stream", Shape::Flag),
    may("temperature", Shape::Number(0.0, 1.0)),
    may("top_p", Shape::Number(0.0, 1.0)),
    may("top_k", Shape::Whole(0, i64::MAX)),
    may("stop_sequences", Shape::List(&Shape::Text, 0, 8191)),
    may("metadata", Shape::Fields(&[may("user_id", Shape::Text)])),
    may("service_tier", Shape::Word(&["auto", "standard_only"])),
    may("container", Shape::Either(&[Shape::Text, Shape::Object])),
    may("inference_geo", Shape::Text),
    may("diagnostics", Shape::Object),
];

/// `POST /v1/messages/count_tokens`.
pub(super) static COUNT: Shape = request![];
