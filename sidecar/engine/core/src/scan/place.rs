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
    /// `input`
    Input,
}

impl Key {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Input as usize + 1;

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
            Self::Input => "input",
        }
    }

    /// The key of this name, unescaped; `None` where we do not interpret it.
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
            Self::Member(Key::StreamOptions) if name == b"include_usage" => Self::IncludeUsage,
            Self::Member(Key::ResponseFormat) if name == b"type" => Self::FormatType,
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
            Self::Member(Key::Input) | Self::InputItem => Self::InputItem,
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
            b"type" | b"id" | b"role" | b"tool_call_id" | b"data" | b"url" | b"file_data"
            | b"file_id" | b"format" | b"detail" | b"signature" => Self::Ignored,
            _ => Self::Said,
        }
    }
}

const fn expectation(key: Key) -> (&'static [Kind], &'static str) {
    use Kind::{Array, Bool, Null, Number, Object, String};
    match key {
        Key::Model => (&[String], "a string"),
        Key::Stream => (&[Bool, Null], "true or false"),
        Key::StreamOptions | Key::ResponseFormat => (&[Object, Null], "an object"),
        Key::MaxTokens | Key::MaxCompletionTokens | Key::N => (&[Number, Null], "a whole number"),
        Key::Tools | Key::Functions => (&[Array, Null], "an array"),
        Key::ServiceTier => (&[String, Null], "a string"),
        Key::Messages => (&[Array], "an array"),
        Key::Input => (&[String, Array], "a string or an array"),
    }
}
