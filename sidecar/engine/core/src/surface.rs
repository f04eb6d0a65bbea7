//! What callers can ask for, one surface a path: the only table of paths. Everything else about a
//! surface follows from the dialect that it speaks.

use crate::scan::Profile;
use crate::wire::Dialect;

/// What the caller wants done, and in whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`.
    MessagesCount,
    /// `POST /v1beta/models/{model}:generateContent`.
    Generate,
    /// `POST /v1beta/models/{model}:streamGenerateContent?alt=sse`.
    GenerateEvents,
    /// `POST /v1beta/models/{model}:streamGenerateContent`: a JSON array that grows.
    GenerateArray,
    /// `POST /v1beta/models/{model}:countTokens`.
    GeminiCount,
}

/// A request line that is one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What for.
    pub surface: Surface,
    /// The model, where the path names it and the body does not.
    pub model: Option<String>,
}

impl Surface {
    /// As records and spend name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::MessagesCount | Self::GeminiCount => "count_tokens",
            Self::Generate | Self::GenerateEvents | Self::GenerateArray => "generate_content",
        }
    }

    /// Where callers find it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::MessagesCount => "/v1/messages/count_tokens",
            Self::Generate => "/v1beta/models/{model}:generateContent",
            Self::GenerateEvents | Self::GenerateArray => {
                "/v1beta/models/{model}:streamGenerateContent"
            }
            Self::GeminiCount => "/v1beta/models/{model}:countTokens",
        }
    }

    /// OpenTelemetry's name of the operation.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::Responses => "chat",
            Self::Completions => "text_completion",
            Self::Generate | Self::GenerateEvents | Self::GenerateArray => "generate_content",
            Self::Embeddings => "embeddings",
            Self::MessagesCount | Self::GeminiCount => "count_tokens",
        }
    }

    /// Whose words requests and answers are in.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::Chat,
            Self::Embeddings => Dialect::Embeddings,
            Self::Completions => Dialect::Completions,
            Self::Responses => Dialect::Responses,
            Self::Messages | Self::MessagesCount => Dialect::Messages,
            Self::Generate | Self::GenerateEvents | Self::GenerateArray | Self::GeminiCount => {
                Dialect::Gemini
            }
        }
    }

    /// What stands where in its requests.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self.dialect() {
            Dialect::Completions => Profile::Completions,
            Dialect::Responses => Profile::Responses,
            Dialect::Messages => Profile::Messages,
            Dialect::Gemini => Profile::Gemini,
            Dialect::Chat | Dialect::Embeddings | Dialect::Converse => Profile::Chat,
        }
    }

    /// Whether answers are text that a model makes, of which there can be more or less.
    #[must_use]
    pub const fn generates(self) -> bool {
        !matches!(self, Self::Embeddings) && !self.counts()
    }

    /// Whether it asks only how many tokens a prompt has, which costs nothing.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::MessagesCount | Self::GeminiCount)
    }

    /// Whether the path says if a stream is wanted; `None`: the body does.
    #[must_use]
    pub const fn streams(self) -> Option<bool> {
        match self {
            Self::Generate | Self::GeminiCount => Some(false),
            Self::GenerateEvents | Self::GenerateArray => Some(true),
            _ => None,
        }
    }
}

/// The surface at a path with this query; `None`: none of ours.
#[must_use]
pub fn find(path: &str, query: Option<&str>) -> Option<Asked> {
    let surface = match path {
        "/v1/chat/completions" => Surface::Chat,
        "/v1/embeddings" => Surface::Embeddings,
        "/v1/messages" => Surface::Messages,
        "/v1/messages/count_tokens" => Surface::MessagesCount,
        "/v1/responses" => Surface::Responses,
        "/v1/completions" => Surface::Completions,
        _ => return of_gemini(path, query),
    };
    Some(Asked { surface, model: None })
}

/// In whose words a path is answered, were it only to be told that it is none.
#[must_use]
pub fn dialect_at(path: &str) -> Dialect {
    find(path, None).map_or(Dialect::Chat, |asked| asked.surface.dialect())
}

fn of_gemini(path: &str, query: Option<&str>) -> Option<Asked> {
    let rest = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    let (model, method) = rest.rsplit_once(':')?;
    let surface = match method {
        "generateContent" => Surface::Generate,
        "streamGenerateContent" if query.is_some_and(wants_events) => Surface::GenerateEvents,
        "streamGenerateContent" => Surface::GenerateArray,
        "countTokens" => Surface::GeminiCount,
        _ => return None,
    };
    Some(Asked { surface, model: Some(crate::models::unescaped(model)) })
}

fn wants_events(query: &str) -> bool {
    query.split('&').any(|pair| pair == "alt=sse" || pair == "%24alt=sse" || pair == "$alt=sse")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every surface is found at its own path, with the model that stands there.
    #[test]
    fn paths_lead_to_surfaces() {
        let at = |path: &str, query| find(path, query).map(|asked| (asked.surface, asked.model));
        for surface in [
            Surface::Chat,
            Surface::Embeddings,
            Surface::Completions,
            Surface::Responses,
            Surface::Messages,
            Surface::MessagesCount,
        ] {
            assert_eq!(at(surface.path(), Some("beta=true")), Some((surface, None)));
        }
        let flash = || Some("main/flash".to_owned());
        for (path, query, surface) in [
            ("/v1beta/models/main%2Fflash:generateContent", None, Surface::Generate),
            ("/v1/models/main/flash:generateContent", None, Surface::Generate),
            ("/v1/models/main%2Fflash:streamGenerateContent", None, Surface::GenerateArray),
            (
                "/v1beta/models/main/flash:streamGenerateContent",
                Some("a=b&alt=sse"),
                Surface::GenerateEvents,
            ),
            ("/v1beta/models/main/flash:countTokens", None, Surface::GeminiCount),
        ] {
            assert_eq!(at(path, query), Some((surface, flash())), "{path}");
        }
        for none in ["/v1/models", "/v1/models/a", "/v1/models/a:b", "/v1/message", "/messages"] {
            assert_eq!(at(none, None), None, "{none}");
        }
    }
}
