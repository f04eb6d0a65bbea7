//! The members of a chat request, for a provider that is told to be strict.

use super::super::shape::{Field, Shape, may, must};

const MANY: usize = 100_000;

const BREAKPOINT: Field = may("prompt_cache_breakpoint", Shape::Object);

static PART: Shape = Shape::Tagged(
    "type",
    &[
        ("text", &[must("text", Shape::Text), BREAKPOINT]),
        (
            "image_url",
            &[
                must(
                    "image_url",
                    Shape::Fields(&[
                        must("url", Shape::Filled),
                        may("detail", Shape::Word(&["auto", "low", "high", "original"])),
                    ]),
                ),
                BREAKPOINT,
            ],
        ),
        (
            "input_audio",
            &[must(
                "input_audio",
                Shape::Fields(&[
                    must("data", Shape::Filled),
                    must("format", Shape::Word(&["wav", "mp3"])),
                ]),
            )],
        ),
        (
            "file",
            &[must(
                "file",
                Shape::Fields(&[
                    may("file_id", Shape::Filled),
                    may("file_data", Shape::Filled),
                    may("filename", Shape::Text),
                ]),
            )],
        ),
        ("refusal", &[must("refusal", Shape::Text)]),
    ],
);

static SAID: Shape = Shape::Tagged(
    "type",
    &[
        ("text", &[must("text", Shape::Text), BREAKPOINT]),
        ("refusal", &[must("refusal", Shape::Text)]),
    ],
);

static WORDS: Shape = Shape::Tagged("type", &[("text", &[must("text", Shape::Text), BREAKPOINT])]);

static CALL: Shape = Shape::Tagged(
    "type",
    &[
        (
            "function",
            &[
                must("id", Shape::Filled),
                must(
                    "function",
                    Shape::Fields(&[must("name", Shape::Filled), must("arguments", Shape::Text)]),
                ),
            ],
        ),
        (
            "custom",
            &[
                must("id", Shape::Filled),
                must(
                    "custom",
                    Shape::Fields(&[must("name", Shape::Filled), must("input", Shape::Text)]),
                ),
            ],
        ),
    ],
);

static INSTRUCTIONS: &[Field] = &[
    must("content", Shape::Either(&[Shape::Text, Shape::List(&WORDS, 1, MANY)])),
    may("name", Shape::Text),
];

static MESSAGE: Shape = Shape::Tagged(
    "role",
    &[
        ("system", INSTRUCTIONS),
        ("developer", INSTRUCTIONS),
        (
            "user",
            &[
                must("content", Shape::Either(&[Shape::Text, Shape::List(&PART, 1, MANY)])),
                may("name", Shape::Text),
            ],
        ),
        (
            "assistant",
            &[
                may("content", Shape::Either(&[Shape::Text, Shape::List(&SAID, 1, MANY)])),
                may("refusal", Shape::Text),
                may("name", Shape::Text),
                may("tool_calls", Shape::List(&CALL, 1, 128)),
                may("function_call", Shape::Object),
                may("audio", Shape::Fields(&[must("id", Shape::Filled)])),
                may("annotations", Shape::Any),
            ],
        ),
        (
            "tool",
            &[
                must("content", Shape::Either(&[Shape::Text, Shape::List(&WORDS, 1, MANY)])),
                must("tool_call_id", Shape::Filled),
            ],
        ),
        ("function", &[must("name", Shape::Filled), may("content", Shape::Text)]),
    ],
);

static TOOL: Shape = Shape::Tagged(
    "type",
    &[
        (
            "function",
            &[must(
                "function",
                Shape::Fields(&[
                    must("name", Shape::Filled),
                    may("description", Shape::Text),
                    may("parameters", Shape::Object),
                    may("strict", Shape::Flag),
                ]),
            )],
        ),
        ("custom", &[must("custom", Shape::Object)]),
    ],
);

static CHOICE: Shape = Shape::Either(&[
    Shape::Word(&["none", "auto", "required"]),
    Shape::Tagged(
        "type",
        &[
            ("function", &[must("function", Shape::Fields(&[must("name", Shape::Filled)]))]),
            ("custom", &[must("custom", Shape::Fields(&[must("name", Shape::Filled)]))]),
            ("allowed_tools", &[must("allowed_tools", Shape::Object)]),
        ],
    ),
]);

static FORMATS: &[(&str, &[Field])] = &[
    ("text", &[]),
    ("json_object", &[]),
    (
        "json_schema",
        &[must(
            "json_schema",
            Shape::Fields(&[
                must("name", Shape::Filled),
                may("schema", Shape::Object),
                may("description", Shape::Text),
                may("strict", Shape::Flag),
            ]),
        )],
    ),
];

/// `POST /v1/chat/completions`.
pub(super) static REQUEST: Shape = Shape::Fields(&[
    must("model", Shape::Filled),
    must("messages", Shape::List(&MESSAGE, 1, MANY)),
    may("max_completion_tokens", Shape::Whole(1, i64::MAX)),
    may("max_tokens", Shape::Whole(1, i64::MAX)),
    may("n", Shape::Whole(1, 128)),
    may("temperature", Shape::Number(0.0, 2.0)),
    may("top_p", Shape::Number(0.0, 1.0)),
    may("stop", Shape::Either(&[Shape::Text, Shape::List(&Shape::Text, 0, 4)])),
    may("presence_penalty", Shape::Number(-2.0, 2.0)),
    may("frequency_penalty", Shape::Number(-2.0, 2.0)),
    may("logit_bias", Shape::Object),
    may("logprobs", Shape::Flag),
    may("top_logprobs", Shape::Whole(0, 20)),
    may("seed", Shape::Whole(i64::MIN, i64::MAX)),
    may("tools", Shape::List(&TOOL, 1, 128)),
    may("tool_choice", Shape::Nested(&CHOICE)),
    may("parallel_tool_calls", Shape::Flag),
    may("functions", Shape::List(&Shape::Object, 1, 128)),
    may("function_call", Shape::Any),
    may("response_format", Shape::Tagged("type", FORMATS)),
    may(
        "reasoning_effort",
        Shape::Word(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    ),
    may("verbosity", Shape::Word(&["low", "medium", "high"])),
    may("modalities", Shape::List(&Shape::Word(&["text", "audio"]), 1, 2)),
    may("audio", Shape::Object),
    may("prediction", Shape::Object),
    may("service_tier", Shape::Word(&["auto", "default", "flex", "scale", "priority", "fast"])),
    may("store", Shape::Flag),
    may("metadata", Shape::Map(&Shape::Text)),
    may("prompt_cache_key", Shape::Text),
    may("prompt_cache_options", Shape::Object),
    may("prompt_cache_retention", Shape::Text),
    may("safety_identifier", Shape::Text),
    may("user", Shape::Text),
    may("web_search_options", Shape::Object),
    may("moderation", Shape::Object),
    may("stream", Shape::Flag),
    may(
        "stream_options",
        Shape::Fields(&[
            may("include_usage", Shape::Flag),
            may("include_obfuscation", Shape::Flag),
        ]),
    ),
]);
