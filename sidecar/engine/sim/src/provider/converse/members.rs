//! The members of a Converse request.

use super::super::shape::{Field, Shape, may, must};

const MANY: usize = 100_000;

static CACHE_POINT: &[Field] =
    &[must("type", Shape::Word(&["default"])), may("ttl", Shape::Word(&["5m", "1h"]))];

static SOURCE: &[Field] = &[
    may("bytes", Shape::Filled),
    may(
        "s3Location",
        Shape::Fields(&[must("uri", Shape::Filled), may("bucketOwner", Shape::Text)]),
    ),
    may("text", Shape::Filled),
    may("content", Shape::List(&Shape::Object, 1, MANY)),
];

static IMAGE: &[Field] = &[
    must("format", Shape::Word(&["png", "jpeg", "gif", "webp"])),
    must("source", Shape::Union(SOURCE)),
];

static DOCUMENT: &[Field] = &[
    must("name", Shape::Filled),
    must("source", Shape::Union(SOURCE)),
    may("format", Shape::Word(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
    may("context", Shape::Text),
    may("citations", Shape::Object),
];

static MEDIA: &[Field] = &[must("format", Shape::Filled), must("source", Shape::Union(SOURCE))];

static RESULT: Shape = Shape::Union(&[
    may("text", Shape::Text),
    may("json", Shape::Any),
    may("image", Shape::Fields(IMAGE)),
    may("document", Shape::Fields(DOCUMENT)),
    may("video", Shape::Fields(MEDIA)),
    may("searchResult", Shape::Object),
]);

static BLOCK: Shape = Shape::Union(&[
    may("text", Shape::Text),
    may("image", Shape::Fields(IMAGE)),
    may("document", Shape::Fields(DOCUMENT)),
    may("video", Shape::Fields(MEDIA)),
    may("audio", Shape::Fields(MEDIA)),
    may(
        "toolUse",
        Shape::Fields(&[
            must("toolUseId", Shape::Filled),
            must("name", Shape::Filled),
            must("input", Shape::Any),
            may("type", Shape::Text),
        ]),
    ),
    may(
        "toolResult",
        Shape::Fields(&[
            must("toolUseId", Shape::Filled),
            must("content", Shape::List(&RESULT, 0, MANY)),
            may("status", Shape::Word(&["success", "error"])),
            may("type", Shape::Text),
        ]),
    ),
    may(
        "reasoningContent",
        Shape::Union(&[
            may(
                "reasoningText",
                Shape::Fields(&[must("text", Shape::Text), may("signature", Shape::Text)]),
            ),
            may("redactedContent", Shape::Filled),
        ]),
    ),
    may("cachePoint", Shape::Fields(CACHE_POINT)),
    may("guardContent", Shape::Object),
    may("citationsContent", Shape::Object),
    may("searchResult", Shape::Object),
]);

static MESSAGE: Shape = Shape::Fields(&[
    must("role", Shape::Word(&["user", "assistant"])),
    must("content", Shape::List(&BLOCK, 0, MANY)),
]);

static SYSTEM: Shape = Shape::Union(&[
    may("text", Shape::Filled),
    may("cachePoint", Shape::Fields(CACHE_POINT)),
    may("guardContent", Shape::Object),
]);

static TOOL: Shape = Shape::Union(&[
    may(
        "toolSpec",
        Shape::Fields(&[
            must("name", Shape::Filled),
            must("inputSchema", Shape::Union(&[may("json", Shape::Object)])),
            may("description", Shape::Filled),
            may("strict", Shape::Flag),
        ]),
    ),
    may("cachePoint", Shape::Fields(CACHE_POINT)),
    may("systemTool", Shape::Object),
]);

static TOOLS: &[Field] = &[
    must("tools", Shape::List(&TOOL, 1, MANY)),
    may(
        "toolChoice",
        Shape::Union(&[
            may("auto", Shape::Fields(&[])),
            may("any", Shape::Fields(&[])),
            may("tool", Shape::Fields(&[must("name", Shape::Filled)])),
        ]),
    ),
];

static INFERENCE: &[Field] = &[
    may("maxTokens", Shape::Whole(1, i64::MAX)),
    may("temperature", Shape::Number(0.0, 1.0)),
    may("topP", Shape::Number(0.0, 1.0)),
    may("stopSequences", Shape::List(&Shape::Filled, 0, 2500)),
];

static OUTPUT: &[Field] = &[
    may(
        "textFormat",
        Shape::Fields(&[
            must("type", Shape::Word(&["json_schema"])),
            must(
                "structure",
                Shape::Union(&[may(
                    "jsonSchema",
                    Shape::Fields(&[
                        must("schema", Shape::Filled),
                        may("name", Shape::Filled),
                        may("description", Shape::Text),
                    ]),
                )]),
            ),
        ]),
    ),
    may("effort", Shape::Filled),
];

static CONVERSATION: &[Field] = &[
    may("messages", Shape::List(&MESSAGE, 0, MANY)),
    may("system", Shape::List(&SYSTEM, 0, MANY)),
    may("toolConfig", Shape::Fields(TOOLS)),
    may("additionalModelRequestFields", Shape::Object),
];

/// `/model/{id}/converse` and `/converse-stream`.
pub(super) static REQUEST: Shape = Shape::Fields(&[
    must("messages", Shape::List(&MESSAGE, 0, MANY)),
    may("system", Shape::List(&SYSTEM, 0, MANY)),
    may("inferenceConfig", Shape::Fields(INFERENCE)),
    may("toolConfig", Shape::Fields(TOOLS)),
    may("outputConfig", Shape::Fields(OUTPUT)),
    may("additionalModelRequestFields", Shape::Object),
    may("additionalModelResponseFieldPaths", Shape::List(&Shape::Filled, 0, 10)),
    may("guardrailConfig", Shape::Object),
    may("promptVariables", Shape::Object),
    may("requestMetadata", Shape::Map(&Shape::Text)),
    may(
        "performanceConfig",
        Shape::Fields(&[may("latency", Shape::Word(&["standard", "optimized"]))]),
    ),
    may(
        "serviceTier",
        Shape::Fields(&[must("type", Shape::Word(&["priority", "default", "flex", "reserved"]))]),
    ),
]);

/// `/model/{id}/count-tokens`.
pub(super) static COUNT: Shape =
    Shape::Fields(&[must("input", Shape::Union(&[may("converse", Shape::Fields(CONVERSATION))]))]);
