//! The members of Gemini's requests.

use super::super::shape::{Field, Shape, may, must};

const MANY: usize = 100_000;

/// The OpenAPI subset of `parameters` and `responseSchema`: nothing else of JSON schema is known.
static SCHEMA: Shape = Shape::Fields(&[
    may("type", Shape::Word(TYPES)),
    may("format", Shape::Text),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("nullable", Shape::Flag),
    may("enum", Shape::List(&Shape::Text, 0, MANY)),
    may("items", Shape::Nested(&SCHEMA)),
    may("maxItems", Shape::Any),
    may("minItems", Shape::Any),
    may("properties", Shape::Map(&SCHEMA)),
    may("required", Shape::List(&Shape::Text, 0, MANY)),
    may("minProperties", Shape::Any),
    may("maxProperties", Shape::Any),
    may("minLength", Shape::Any),
    may("maxLength", Shape::Any),
    may("pattern", Shape::Text),
    may("example", Shape::Any),
    may("anyOf", Shape::List(&SCHEMA, 0, MANY)),
    may("propertyOrdering", Shape::List(&Shape::Text, 0, MANY)),
    may("default", Shape::Any),
    may("minimum", Shape::Number(f64::MIN, f64::MAX)),
    may("maximum", Shape::Number(f64::MIN, f64::MAX)),
]);

const TYPES: &[&str] = &[
    "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "string", "number",
    "integer", "boolean", "array", "object", "null",
];

static PART: Shape = Shape::Fields(&[
    may("text", Shape::Text),
    may(
        "inlineData",
        Shape::Fields(&[
            must("mimeType", Shape::Filled),
            must("data", Shape::Filled),
            may("displayName", Shape::Text),
        ]),
    ),
    may(
        "fileData",
        Shape::Fields(&[
            must("fileUri", Shape::Filled),
            may("mimeType", Shape::Text),
            may("displayName", Shape::Text),
        ]),
    ),
    may(
        "functionCall",
        Shape::Fields(&[
            must("name", Shape::Filled),
            may("id", Shape::Text),
            may("args", Shape::Object),
            may("partialArgs", Shape::List(&Shape::Object, 0, MANY)),
            may("willContinue", Shape::Flag),
        ]),
    ),
    may(
        "functionResponse",
        Shape::Fields(&[
            must("name", Shape::Filled),
            must("response", Shape::Object),
            may("id", Shape::Text),
            may("willContinue", Shape::Flag),
            may("scheduling", Shape::Text),
            may("parts", Shape::List(&Shape::Object, 0, MANY)),
        ]),
    ),
    may("executableCode", Shape::Object),
    may("codeExecutionResult", Shape::Object),
    may("thought", Shape::Flag),
    may("thoughtSignature", Shape::Text),
    may("videoMetadata", Shape::Object),
    may("mediaResolution", Shape::Any),
    may("partMetadata", Shape::Object),
]);

static CONTENT: Shape = Shape::Fields(CONTENT_FIELDS);

static CONTENT_FIELDS: &[Field] =
    &[may("role", Shape::Text), must("parts", Shape::List(&PART, 1, MANY))];

static THINKING: &[Field] = &[
    may("thinkingBudget", Shape::Whole(-1, 65_536)),
    may(
        "thinkingLevel",
        Shape::Word(&["MINIMAL", "LOW", "MEDIUM", "HIGH", "minimal", "low", "medium", "high"]),
    ),
    may("includeThoughts", Shape::Flag),
];

static CONFIG: &[Field] = &[
    may("temperature", Shape::Number(0.0, 2.0)),
    may("topP", Shape::Number(0.0, 1.0)),
    may("topK", Shape::Number(1.0, 1e9)),
    may("candidateCount", Shape::Whole(1, 8)),
    may("maxOutputTokens", Shape::Whole(1, i64::MAX)),
    may("stopSequences", Shape::List(&Shape::Text, 0, 5)),
    may("responseMimeType", Shape::Word(&["text/plain", "application/json", "text/x.enum"])),
    may("responseSchema", Shape::Nested(&SCHEMA)),
    may("responseJsonSchema", Shape::Any),
    may("thinkingConfig", Shape::Fields(THINKING)),
    may("responseModalities", Shape::List(&Shape::Text, 0, 3)),
    may("seed", Shape::Whole(i32::MIN as i64, i32::MAX as i64)),
    may("presencePenalty", Shape::Number(-2.0, 2.0)),
    may("frequencyPenalty", Shape::Number(-2.0, 2.0)),
    may("responseLogprobs", Shape::Flag),
    may("logprobs", Shape::Whole(0, 20)),
    may("speechConfig", Shape::Object),
    may("imageConfig", Shape::Object),
    may("audioTimestamp", Shape::Flag),
    may("mediaResolution", Shape::Text),
    may("enableEnhancedCivicAnswers", Shape::Flag),
];

static DECLARATION: Shape = Shape::Fields(&[
    must("name", Shape::Filled),
    may("description", Shape::Text),
    may("parameters", Shape::Nested(&SCHEMA)),
    may("parametersJsonSchema", Shape::Any),
    may("response", Shape::Nested(&SCHEMA)),
    may("responseJsonSchema", Shape::Any),
    may("behavior", Shape::Text),
]);

static TOOL: Shape = Shape::Fields(&[
    may("functionDeclarations", Shape::List(&DECLARATION, 0, MANY)),
    may("googleSearch", Shape::Object),
    may("googleSearchRetrieval", Shape::Object),
    may("codeExecution", Shape::Object),
    may("urlContext", Shape::Object),
    may("googleMaps", Shape::Object),
    may("computerUse", Shape::Object),
    may("fileSearch", Shape::Object),
]);

static CALLING: &[Field] = &[
    may("mode", Shape::Word(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
    may("allowedFunctionNames", Shape::List(&Shape::Filled, 0, MANY)),
    may("streamFunctionCallArguments", Shape::Flag),
];

static SAFETY: Shape = Shape::Fields(&[
    must("category", Shape::Filled),
    must("threshold", Shape::Filled),
    may("method", Shape::Text),
]);

static REQUEST_FIELDS: &[Field] = &[
    must("contents", Shape::List(&CONTENT, 1, MANY)),
    may("model", Shape::Text),
    may("systemInstruction", Shape::Fields(CONTENT_FIELDS)),
    may("generationConfig", Shape::Fields(CONFIG)),
    may("tools", Shape::List(&TOOL, 0, MANY)),
    may(
        "toolConfig",
        Shape::Fields(&[
            may("functionCallingConfig", Shape::Fields(CALLING)),
            may("retrievalConfig", Shape::Object),
            may("includeServerSideToolInvocations", Shape::Flag),
        ]),
    ),
    may("safetySettings", Shape::List(&SAFETY, 0, 99)),
    may("cachedContent", Shape::Filled),
    may("serviceTier", Shape::Text),
    may("labels", Shape::Object),
    may("store", Shape::Flag),
];

/// `:generateContent` and `:streamGenerateContent`.
pub(super) static REQUEST: Shape = Shape::Fields(REQUEST_FIELDS);

/// `:countTokens`.
pub(super) static COUNT: Shape = Shape::Fields(&[
    may("contents", Shape::List(&CONTENT, 1, MANY)),
    may("generateContentRequest", Shape::Fields(REQUEST_FIELDS)),
    may("model", Shape::Text),
    may("systemInstruction", Shape::Fields(CONTENT_FIELDS)),
    may("generationConfig", Shape::Fields(CONFIG)),
    may("tools", Shape::List(&TOOL, 0, MANY)),
]);

static EMBEDDED: Shape = Shape::Fields(EMBED_FIELDS);

static EMBED_FIELDS: &[Field] = &[
    must("content", Shape::Fields(CONTENT_FIELDS)),
    may("model", Shape::Text),
    may("taskType", Shape::Text),
    may("title", Shape::Text),
    may("outputDimensionality", Shape::Whole(1, 3072)),
];

/// `:embedContent`.
pub(super) static EMBED: Shape = Shape::Fields(EMBED_FIELDS);

/// `:batchEmbedContents`.
pub(super) static BATCH_EMBED: Shape =
    Shape::Fields(&[must("requests", Shape::List(&EMBEDDED, 1, 100))]);

/// Settings of embeddings at Vertex AI.
static EMBED_CONFIG: &[Field] = &[
    may("taskType", Shape::Text),
    may("title", Shape::Text),
    may("outputDimensionality", Shape::Whole(1, 3072)),
    may("autoTruncate", Shape::Flag),
];

static VERTEX_EMBEDDED: Shape = Shape::Fields(VERTEX_FIELDS);

static VERTEX_FIELDS: &[Field] = &[
    must("content", Shape::Fields(CONTENT_FIELDS)),
    may("model", Shape::Text),
    may("embedContentConfig", Shape::Fields(EMBED_CONFIG)),
];

/// `:embedContent` at Vertex AI.
pub(super) static VERTEX_EMBED: Shape = Shape::Fields(VERTEX_FIELDS);

/// `:batchEmbedContents` there.
pub(super) static VERTEX_BATCH: Shape =
    Shape::Fields(&[must("requests", Shape::List(&VERTEX_EMBEDDED, 1, 100))]);

static INSTANCE: Shape = Shape::Fields(&[
    must("content", Shape::Filled),
    may("task_type", Shape::Text),
    may("title", Shape::Text),
]);

/// `:predict` of a model that embeds.
pub(super) static PREDICT: Shape = Shape::Fields(&[
    must("instances", Shape::List(&INSTANCE, 1, 250)),
    may(
        "parameters",
        Shape::Fields(&[
            may("outputDimensionality", Shape::Whole(1, 3072)),
            may("autoTruncate", Shape::Flag),
        ]),
    ),
]);
