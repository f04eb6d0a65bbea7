//! The members of a Responses request.

use super::super::shape::{Field, Shape, may, must};

const MANY: usize = 100_000;
const STATUS: Field = may("status", Shape::Word(&["in_progress", "completed", "incomplete"]));
const ID: Field = may("id", Shape::Filled);

static PARTS: &[(&str, &[Field])] = &[
    ("input_text", &[must("text", Shape::Text), may("prompt_cache_breakpoint", Shape::Object)]),
    (
        "input_image",
        &[
            may("image_url", Shape::Filled),
            may("file_id", Shape::Filled),
            may("detail", Shape::Word(&["auto", "low", "high", "original"])),
            may("prompt_cache_breakpoint", Shape::Object),
        ],
    ),
    (
        "input_file",
        &[
            may("file_data", Shape::Filled),
            may("file_id", Shape::Filled),
            may("file_url", Shape::Filled),
            may("filename", Shape::Text),
            may("detail", Shape::Text),
            may("prompt_cache_breakpoint", Shape::Object),
        ],
    ),
    (
        "output_text",
        &[must("text", Shape::Text), may("annotations", Shape::Any), may("logprobs", Shape::Any)],
    ),
    ("refusal", &[must("refusal", Shape::Text)]),
];

static PART: Shape = Shape::Tagged("type", PARTS);

static MESSAGE: &[Field] = &[
    must("role", Shape::Word(&["assistant", "system", "developer", "user"])),
    must("content", Shape::Either(&[Shape::Text, Shape::List(&PART, 0, MANY)])),
    may("phase", Shape::Word(&["commentary", "final_answer"])),
    ID,
    STATUS,
];

static SUMMARY: Shape = Shape::Tagged("type", &[("summary_text", &[must("text", Shape::Text)])]);

static ITEM: Shape = Shape::Tagged(
    "type",
    &[
        ("", MESSAGE),
        ("message", MESSAGE),
        (
            "function_call",
            &[
                must("call_id", Shape::Filled),
                must("name", Shape::Filled),
                must("arguments", Shape::Text),
                may("caller", Shape::Object),
                may("namespace", Shape::Text),
                may("async", Shape::Flag),
                ID,
                STATUS,
            ],
        ),
        (
            "function_call_output",
            &[
                must("call_id", Shape::Filled),
                must("output", Shape::Either(&[Shape::Text, Shape::List(&PART, 0, MANY)])),
                may("caller", Shape::Object),
                may("name", Shape::Text),
                may("namespace", Shape::Text),
                ID,
                STATUS,
            ],
        ),
        (
            "reasoning",
            &[
                must("summary", Shape::List(&SUMMARY, 0, MANY)),
                may("content", Shape::List(&Shape::Object, 0, MANY)),
                may("encrypted_content", Shape::Filled),
                ID,
                STATUS,
            ],
        ),
        ("item_reference", &[must("id", Shape::Filled)]),
        (
            "custom_tool_call",
            &[
                must("call_id", Shape::Filled),
                must("name", Shape::Filled),
                must("input", Shape::Text),
                may("namespace", Shape::Text),
                ID,
            ],
        ),
        (
            "custom_tool_call_output",
            &[
                must("call_id", Shape::Filled),
                must("output", Shape::Either(&[Shape::Text, Shape::List(&PART, 0, MANY)])),
                ID,
            ],
        ),
    ],
);

static TOOL: Shape = Shape::Tagged(
    "type",
    &[
        (
            "function",
            &[
                must("name", Shape::Filled),
                may("parameters", Shape::Object),
                may("strict", Shape::Flag),
                may("description", Shape::Text),
                may("defer_loading", Shape::Flag),
            ],
        ),
        (
            "custom",
            &[
                must("name", Shape::Filled),
                may("description", Shape::Text),
                may("format", Shape::Object),
            ],
        ),
        ("*", &[]),
    ],
);

static CHOICE: Shape = Shape::Either(&[
    Shape::Word(&["none", "auto", "required"]),
    Shape::Tagged(
        "type",
        &[
            ("function", &[must("name", Shape::Filled)]),
            ("custom", &[must("name", Shape::Filled)]),
            (
                "allowed_tools",
                &[
                    must("mode", Shape::Word(&["auto", "required"])),
                    must("tools", Shape::List(&Shape::Object, 1, MANY)),
                ],
            ),
            ("*", &[]),
        ],
    ),
]);

static TEXT: &[Field] = &[
    may(
        "format",
        Shape::Tagged(
            "type",
            &[
                ("text", &[]),
                ("json_object", &[]),
                (
                    "json_schema",
                    &[
                        must("name", Shape::Filled),
                        must("schema", Shape::Object),
                        may("strict", Shape::Flag),
                        may("description", Shape::Text),
                    ],
                ),
            ],
        ),
    ),
    may("verbosity", Shape::Word(&["low", "medium", "high"])),
];

static REASONING: &[Field] = &[
    may("effort", Shape::Word(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    may("summary", Shape::Word(&["auto", "concise", "detailed"])),
    may("generate_summary", Shape::Word(&["auto", "concise", "detailed"])),
];

/// `POST /v1/responses`.
pub(super) static REQUEST: Shape = Shape::Fields(&[
    must("model", Shape::Filled),
    may("input", Shape::Either(&[Shape::Text, Shape::List(&ITEM, 0, MANY)])),
    may("instructions", Shape::Text),
    may("previous_response_id", Shape::Filled),
    may("conversation", Shape::Either(&[Shape::Text, Shape::Object])),
    may("max_output_tokens", Shape::Whole(16, i64::MAX)),
    may("max_tool_calls", Shape::Whole(1, i64::MAX)),
    may("reasoning", Shape::Fields(REASONING)),
    may("text", Shape::Fields(TEXT)),
    may("tools", Shape::List(&TOOL, 0, 128)),
    may("tool_choice", Shape::Nested(&CHOICE)),
    may("parallel_tool_calls", Shape::Flag),
    may("include", Shape::List(&Shape::Text, 0, 20)),
    may("stream", Shape::Flag),
    may("stream_options", Shape::Fields(&[may("include_obfuscation", Shape::Flag)])),
    may("temperature", Shape::Number(0.0, 2.0)),
    may("top_p", Shape::Number(0.0, 1.0)),
    may("top_logprobs", Shape::Whole(0, 20)),
    may("store", Shape::Flag),
    may("background", Shape::Flag),
    may("metadata", Shape::Map(&Shape::Text)),
    may("service_tier", Shape::Word(&["auto", "default", "flex", "scale", "priority", "fast"])),
    may("truncation", Shape::Word(&["auto", "disabled"])),
    may("user", Shape::Text),
    may("safety_identifier", Shape::Text),
    may("prompt", Shape::Object),
    may("prompt_cache_key", Shape::Text),
    may("prompt_cache_options", Shape::Object),
    may("prompt_cache_retention", Shape::Word(&["in_memory", "in-memory", "24h"])),
    may("context_management", Shape::List(&Shape::Object, 0, 9)),
    may("moderation", Shape::Object),
]);
