//! What a value means, known from where it stands: the map of the request formats that we read.

/// A top-level member that we interpret. Any other passes through unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `model`
    Model,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// `n`
    N,
    /// `tools`
    Tools,
    /// `functions`, the older form of `tools`
    Functions,
    /// `response_format`
    ResponseFormat,
    /// `service_tier`
    ServiceTier,
    /// `messages`
    Messages,
    /// `input` of embeddings
    Input,
    /// `input` of Responses
    Items,
    /// `prompt`
    Prompt,
    /// `contents`
    Contents,
    /// `content` of Gemini's embeddings
    EmbeddedContent,
    /// `max_output_tokens`
    MaxOutputTokens,
    /// `best_of`
    BestOf,
    /// `generationConfig`
    GenerationConfig,
}

/// Whose requests are read: which members stand at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// OpenAI's chat and embeddings.
    #[default]
    Chat,
    /// OpenAI's older completions.
    Completions,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Gemini's contents.
    Gemini,
}

impl Profile {
    /// The document's place.
    pub(super) const fn root(self) -> Place {
        match self {
            Self::Chat => Place::Root,
            other => Place::Top(other),
        }
    }

    /// The place of a member of the document; never asked of chat.
    fn member(self, name: &[u8]) -> Place {
        let key = match (self, name) {
            (Self::Gemini, _) => return gemini(name),
            (_, b"model") => Key::Model,
            (_, b"stream") => Key::Stream,
            (_, b"service_tier") => Key::ServiceTier,
            (Self::Messages, b"messages") => Key::Messages,
            (Self::Messages | Self::Completions, b"max_tokens") => Key::MaxTokens,
            (Self::Messages | Self::Responses, b"tools") => Key::Tools,
            (Self::Messages, b"system") | (Self::Responses, b"instructions") => return Place::Said,
            (Self::Messages, b"output_config") | (Self::Responses, b"text") => {
                return Place::FormatHolder;
            }
            (Self::Responses, b"input") => Key::Items,
            (Self::Responses, b"max_output_tokens") => Key::MaxOutputTokens,
            (Self::Completions, b"prompt") => Key::Prompt,
            (Self::Completions, b"suffix") => return Place::Said,
            (Self::Completions, b"n") => Key::N,
            (Self::Completions, b"best_of") => Key::BestOf,
            (Self::Completions, b"stream_options") => Key::StreamOptions,
            _ => return Place::Ignored,
        };
        Place::Member(key)
    }
}

/// The place of a member of Gemini's document, in both of the spellings that Google's parsers take.
const fn gemini(name: &[u8]) -> Place {
    Place::Member(match name {
        b"contents" => Key::Contents,
        b"content" => Key::EmbeddedContent,
        b"tools" => Key::Tools,
        b"generationConfig" | b"generation_config" => Key::GenerationConfig,
        b"serviceTier" | b"service_tier" => Key::ServiceTier,
        b"systemInstruction" | b"system_instruction" => return Place::Said,
        b"generateContentRequest" | b"generate_content_request" => {
            return Place::Top(Profile::Gemini);
        }
        b"requests" => return Place::Requests,
        b"cachedContent" | b"cached_content" => return Place::File,
        _ => return Place::Ignored,
    })
}

impl Key {
    /// How many there are.
    pub(super) const COUNT: usize = Self::GenerationConfig as usize + 1;

    /// The member's name in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::N => "n",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::ResponseFormat => "response_format",
            Self::ServiceTier => "service_tier",
            Self::Messages => "messages",
            Self::Input | Self::Items => "input",
            Self::Prompt => "prompt",
            Self::Contents => "contents",
            Self::EmbeddedContent => "content",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::BestOf => "best_of",
            Self::GenerationConfig => "generationConfig",
        }
    }

    /// Chat's key of this name, unescaped; `None` where we do not interpret it.
    #[must_use]
    pub const fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"n" => Self::N,
            b"tools" => Self::Tools,
            b"functions" => Self::Functions,
            b"response_format" => Self::ResponseFormat,
            b"service_tier" => Self::ServiceTier,
            b"messages" => Self::Messages,
            b"input" => Self::Input,
            _ => return None,
        })
    }
}

/// The kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// What the value at hand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Place {
    /// Nothing below it matters.
    #[default]
    Ignored,
    /// The document.
    Root,
    /// The document, of another than OpenAI's chat and embeddings.
    Top(Profile),
    /// A top-level member.
    Member(Key),
    /// `stream_options.include_usage`
    IncludeUsage,
    /// `response_format.type`
    FormatType,
    /// An element of `tools`.
    Tool,
    /// An element of `messages`.
    Message,
    /// An element of what has messages elsewhere: Anthropic's, Responses' items, Gemini's contents.
    Turn(Key),
    /// Elements of a batch of Gemini's embeddings.
    Requests,
    /// `output_config` and `text`, where the wanted form of the answer stands.
    FormatHolder,
    /// `format` in it.
    Format,
    /// `generationConfig.maxOutputTokens`
    ConfigCap,
    /// `generationConfig.candidateCount`
    ConfigN,
    /// `generationConfig.responseMimeType`
    ConfigMime,
    /// A schema in `generationConfig`.
    ConfigSchema,
    /// Anthropic's `source`, of an image or a document.
    Source,
    /// Gemini's `inlineData` and `fileData`.
    Blob,
    /// `source.type`
    SourceType,
    /// Its media type.
    MediaType,
    /// Its bytes, as base64 or, in Anthropic's text documents, as they are.
    SourceData,
    /// `messages[].role`
    Role,
    /// `messages[].content`
    Content,
    /// An element of `content`.
    Part,
    /// `messages[].content[].text`
    PartText,
    /// Anything else that a message says: refusals, arguments of tool calls, vendors' own members.
    Said,
    /// `image_url`: an object, or the URL itself.
    Image,
    /// `image_url.url`
    ImageUrl,
    /// `input_audio`
    Audio,
    /// `file`
    File,
    /// An element of `input`.
    InputItem,
}

impl Place {
    /// The place of an object's member.
    pub(super) fn member(self, name: &[u8]) -> Self {
        match self {
            Self::Root => Key::from_name(name).map_or(Self::Ignored, Self::Member),
            Self::Top(profile) => profile.member(name),
            Self::Member(Key::StreamOptions) if name == b"include_usage" => Self::IncludeUsage,
            Self::Member(Key::ResponseFormat) | Self::Format if name == b"type" => Self::FormatType,
            Self::FormatHolder if name == b"format" => Self::Format,
            Self::Member(Key::GenerationConfig) => Self::config(name),
            Self::Turn(_) | Self::Member(Key::EmbeddedContent) => match name {
                b"role" => Self::Role,
                b"content" | b"parts" => Self::Content,
                _ => Self::spoken(name),
            },
            Self::Source | Self::Blob => match name {
                b"type" => Self::SourceType,
                b"media_type" | b"mimeType" | b"mime_type" => Self::MediaType,
                b"data" => Self::SourceData,
                b"content" => Self::Said,
                b"file_id" | b"fileUri" | b"file_uri" => Self::File,
                _ => Self::Ignored,
            },
            Self::Message => match name {
                b"role" => Self::Role,
                b"content" => Self::Content,
                _ => Self::spoken(name),
            },
            Self::Part | Self::Content if name == b"text" => Self::PartText,
            Self::Part | Self::Content | Self::PartText | Self::Said => Self::spoken(name),
            Self::Image if name == b"url" => Self::ImageUrl,
            _ => Self::Ignored,
        }
    }

    /// The place of an array's element.
    pub(super) fn element(self) -> Self {
        match self {
            Self::Member(Key::Tools | Key::Functions) => Self::Tool,
            Self::Member(Key::Messages) => Self::Message,
            Self::Member(key @ (Key::Items | Key::Contents)) => Self::Turn(key),
            Self::Requests => Self::Top(Profile::Gemini),
            Self::Member(Key::Input | Key::Prompt) | Self::InputItem => Self::InputItem,
            Self::Content => Self::Part,
            Self::Part | Self::PartText | Self::Said => Self::Said,
            _ => Self::Ignored,
        }
    }

    /// Whether names of members below matter.
    pub(super) fn reads_names(self) -> bool {
        !matches!(self, Self::Ignored | Self::Tool | Self::Audio | Self::File | Self::InputItem)
    }

    /// The name of a value of the wrong kind, and what it must be.
    pub(super) fn refusal(self, kind: Kind) -> Option<(&'static str, &'static str)> {
        let fits = |kinds: &[Kind]| kinds.contains(&kind);
        let (fits, key, expected) = match self {
            Self::Member(key) => {
                let (kinds, expected) = expectation(key);
                (fits(kinds), key.as_str(), expected)
            }
            Self::IncludeUsage => {
                (fits(&[Kind::Bool, Kind::Null]), "stream_options.include_usage", "true or false")
            }
            Self::Message => (fits(&[Kind::Object]), "messages", "an array of objects"),
            Self::Turn(key) => (fits(&[Kind::Object]), key.as_str(), "an array of objects"),
            _ => return None,
        };
        (!fits).then_some((key, expected))
    }

    /// Members that name things rather than say them, and payloads, are no text.
    fn spoken(name: &[u8]) -> Self {
        match name {
            b"image_url" => Self::Image,
            b"input_audio" => Self::Audio,
            b"file" => Self::File,
            b"source" => Self::Source,
            b"inlineData" | b"inline_data" | b"fileData" => Self::Blob,
            b"type" | b"id" | b"role" | b"tool_call_id" | b"data" | b"url" | b"file_data"
            | b"file_id" | b"format" | b"detail" | b"signature" | b"cache_control"
            | b"encrypted_content" | b"thoughtSignature" | b"thought_signature" => Self::Ignored,
            _ => Self::Said,
        }
    }

    /// A member of Gemini's `generationConfig`.
    const fn config(name: &[u8]) -> Self {
        match name {
            b"maxOutputTokens" | b"max_output_tokens" => Self::ConfigCap,
            b"candidateCount" | b"candidate_count" => Self::ConfigN,
            b"responseMimeType" | b"response_mime_type" => Self::ConfigMime,
            b"responseSchema"
            | b"response_schema"
            | b"responseJsonSchema"
            | b"response_json_schema" => Self::ConfigSchema,
            _ => Self::Ignored,
        }
    }
}

const fn expectation(key: Key) -> (&'static [Kind], &'static str) {
    use Kind::{Array, Bool, Null, Number, Object, String};
    match key {
        Key::Model => (&[String], "a string"),
        Key::Stream => (&[Bool, Null], "true or false"),
        Key::StreamOptions | Key::ResponseFormat | Key::GenerationConfig => {
            (&[Object, Null], "an object")
        }
        Key::MaxTokens | Key::MaxCompletionTokens | Key::MaxOutputTokens | Key::N | Key::BestOf => {
            (&[Number, Null], "a whole number")
        }
        Key::Tools | Key::Functions => (&[Array, Null], "an array"),
        Key::ServiceTier => (&[String, Null], "a string"),
        Key::Messages | Key::Contents => (&[Array], "an array"),
        Key::EmbeddedContent => (&[Object], "an object"),
        Key::Input | Key::Items | Key::Prompt => (&[String, Array], "a string or an array"),
    }
}
