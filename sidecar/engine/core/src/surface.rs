//! What callers can ask for, one surface a path: the only table of paths. Everything else about a
//! surface follows from the dialect that it speaks.

use http::header::UPGRADE;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::headers::{ANTHROPIC_VERSION, X_GOOG_API_KEY};
use crate::media::Medium;
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
    /// `POST /v1beta/models/{model}:embedContent`.
    GeminiEmbed,
    /// `POST /v1beta/models/{model}:batchEmbedContents`.
    GeminiEmbedBatch,
    /// `/v1/responses/{id}`.
    KeptResponses,
    /// `/v1/conversations`.
    Conversations,
    /// `/v1/files`.
    Files,
    /// `/v1/batches`.
    Batches,
    /// Anthropic's `/v1/files`.
    MessageFiles,
    /// `/v1/messages/batches`.
    MessageBatches,
    /// Google's `/v1beta/files`, and their uploads.
    GeminiFiles,
    /// `/v1beta/cachedContents`.
    CachedContents,
    /// Sound and images.
    Media(Medium),
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
            Self::Embeddings | Self::GeminiEmbed | Self::GeminiEmbedBatch => "embeddings",
            Self::Completions => "completions",
            Self::Responses | Self::KeptResponses => "responses",
            Self::Conversations => "conversations",
            Self::Files | Self::MessageFiles | Self::GeminiFiles => "files",
            Self::Batches | Self::MessageBatches => "batches",
            Self::CachedContents => "cached_contents",
            Self::Media(medium) => medium.as_str(),
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
            Self::GeminiEmbed => "/v1beta/models/{model}:embedContent",
            Self::GeminiEmbedBatch => "/v1beta/models/{model}:batchEmbedContents",
            Self::KeptResponses => "/v1/responses/{id}",
            Self::Conversations => "/v1/conversations",
            Self::Files | Self::MessageFiles => "/v1/files",
            Self::Batches => "/v1/batches",
            Self::MessageBatches => "/v1/messages/batches",
            Self::GeminiFiles => "/v1beta/files",
            Self::CachedContents => "/v1beta/cachedContents",
            Self::Media(medium) => medium.path(),
        }
    }

    /// OpenTelemetry's name of the operation.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::Responses => "chat",
            Self::Completions => "text_completion",
            Self::Generate | Self::GenerateEvents | Self::GenerateArray => "generate_content",
            Self::Embeddings | Self::GeminiEmbed | Self::GeminiEmbedBatch => "embeddings",
            Self::MessagesCount | Self::GeminiCount => "count_tokens",
            Self::KeptResponses => "responses",
            Self::Conversations => "conversations",
            Self::Files | Self::MessageFiles | Self::GeminiFiles => "files",
            Self::Batches | Self::MessageBatches => "batches",
            Self::CachedContents => "cached_contents",
            Self::Media(medium) => medium.as_str(),
        }
    }

    /// Whose words requests and answers are in.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Chat
            | Self::KeptResponses
            | Self::Conversations
            | Self::Files
            | Self::Batches => Dialect::Chat,
            Self::Embeddings => Dialect::Embeddings,
            Self::Completions => Dialect::Completions,
            Self::Responses => Dialect::Responses,
            Self::Messages | Self::MessagesCount | Self::MessageFiles | Self::MessageBatches => {
                Dialect::Messages
            }
            Self::Generate
            | Self::GenerateEvents
            | Self::GenerateArray
            | Self::GeminiCount
            | Self::GeminiFiles
            | Self::CachedContents => Dialect::Gemini,
            Self::GeminiEmbed => Dialect::GeminiEmbed,
            Self::GeminiEmbedBatch => Dialect::GeminiEmbedBatch,
            Self::Media(_) => Dialect::Media,
        }
    }

    /// What stands where in its requests.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self.dialect() {
            Dialect::Completions => Profile::Completions,
            Dialect::Responses => Profile::Responses,
            Dialect::Messages => Profile::Messages,
            Dialect::Gemini | Dialect::GeminiEmbed | Dialect::GeminiEmbedBatch => Profile::Gemini,
            Dialect::Chat
            | Dialect::Embeddings
            | Dialect::Media
            | Dialect::Converse
            | Dialect::Titan
            | Dialect::Cohere
            | Dialect::VertexContents
            | Dialect::VertexPredict => Profile::Chat,
        }
    }

    /// Whether answers are text that a model makes, of which there can be more or less.
    #[must_use]
    pub const fn generates(self) -> bool {
        !self.embeds() && !self.counts() && !self.keeps() && self.medium().is_none()
    }

    /// Whether an answer can come as a stream, where its request says so.
    #[must_use]
    pub const fn can_stream(self) -> bool {
        self.generates() || self.medium().is_some()
    }

    /// What is done with sound or images.
    #[must_use]
    pub const fn medium(self) -> Option<Medium> {
        match self {
            Self::Media(medium) => Some(medium),
            _ => None,
        }
    }

    /// Whether it is for what a provider keeps, which is asked for nothing new.
    #[must_use]
    pub const fn keeps(self) -> bool {
        matches!(
            self,
            Self::KeptResponses
                | Self::Conversations
                | Self::Files
                | Self::Batches
                | Self::MessageFiles
                | Self::MessageBatches
                | Self::GeminiFiles
                | Self::CachedContents
        )
    }

    /// Whether answers are vectors.
    #[must_use]
    pub const fn embeds(self) -> bool {
        matches!(self, Self::Embeddings | Self::GeminiEmbed | Self::GeminiEmbedBatch)
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
            Self::Generate | Self::GeminiCount | Self::GeminiEmbed | Self::GeminiEmbedBatch => {
                Some(false)
            }
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
        _ => match Medium::find(path) {
            Some(medium) => Surface::Media(medium),
            None => return of_gemini(path, query),
        },
    };
    Some(Asked { surface, model: None })
}

/// In whose words a request is answered, were it only to be told that there is nothing at its path.
#[must_use]
pub fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    let path = uri.path();
    if let Some(asked) = find(path, None) {
        return asked.surface.dialect();
    }
    // Lists of models and the like: one path for several SDKs, known by what each sends with all.
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    let googles = begins(&["/v1beta/", "/v1alpha/", "/ws/", "/upload/"]);
    if begins(&["/v1/messages/"]) || headers.contains_key(ANTHROPIC_VERSION) {
        Dialect::Messages
    } else if googles || headers.contains_key(X_GOOG_API_KEY) {
        Dialect::Gemini
    } else {
        Dialect::Chat
    }
}

/// Whether a request is for a session in both directions, which we do not carry: a WebSocket's handshake,
/// at whatever path, or what leads to one. An upgrade to anything else may be left unanswered, as Java's
/// clients expect that ask for HTTP/2 by the way.
#[must_use]
pub fn is_realtime(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let rest = path.strip_prefix("/v1/realtime");
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return true;
    }
    let handshake = |value: &HeaderValue| {
        let protocols = value.as_bytes().split(|byte| *byte == b',');
        protocols.map(<[u8]>::trim_ascii).any(|it| it.eq_ignore_ascii_case(b"websocket"))
    };
    // They are GETs: no other request is looked at closer.
    *method == Method::GET && headers.get_all(UPGRADE).iter().any(handshake)
}

fn of_gemini(path: &str, query: Option<&str>) -> Option<Asked> {
    let rest = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    let (model, method) = rest.rsplit_once(':')?;
    let surface = match method {
        "generateContent" => Surface::Generate,
        "streamGenerateContent" if query.is_some_and(wants_events) => Surface::GenerateEvents,
        "streamGenerateContent" => Surface::GenerateArray,
        "countTokens" => Surface::GeminiCount,
        "embedContent" => Surface::GeminiEmbed,
        "batchEmbedContents" => Surface::GeminiEmbedBatch,
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
        ]
        .into_iter()
        .chain(Medium::ALL.map(Surface::Media))
        {
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
            ("/v1/models/main/flash:embedContent", None, Surface::GeminiEmbed),
            ("/v1beta/models/main/flash:batchEmbedContents", None, Surface::GeminiEmbedBatch),
        ] {
            assert_eq!(at(path, query), Some((surface, flash())), "{path}");
        }
        for none in ["/v1/models", "/v1/models/a", "/v1/models/a:b", "/v1/message", "/messages"] {
            assert_eq!(at(none, None), None, "{none}");
        }
    }

    /// Lists of models are told to each SDK in its own words, which it shows by what it always sends.
    #[test]
    fn dialects_of_shared_paths() {
        let of =
            |path: &'static str, header: Option<&'static str>| {
                let mut headers = HeaderMap::new();
                headers.extend(header.map(|name| {
                    (http::HeaderName::from_static(name), HeaderValue::from_static("x"))
                }));
                dialect_of(&Uri::from_static(path), &headers)
            };
        assert_eq!(of("/v1/models", None), Dialect::Chat);
        assert_eq!(of("/v1/models", Some("anthropic-version")), Dialect::Messages);
        assert_eq!(of("/v1/models", Some("x-goog-api-key")), Dialect::Gemini);
        assert_eq!(of("/v1beta/models/a", None), Dialect::Gemini);
        assert_eq!(of("/v1/messages", Some("x-goog-api-key")), Dialect::Messages);
        assert_eq!(of("/ws/google.ai.generativelanguage.v1beta.X", None), Dialect::Gemini);
    }

    /// A WebSocket's handshake is one at any path; other upgrades and other requests are not.
    #[test]
    fn realtime_is_told_from_the_rest() {
        let is = |method: Method, path: &str, upgrade: &'static str| {
            let mut headers = HeaderMap::new();
            if !upgrade.is_empty() {
                headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
            }
            is_realtime(&method, path, &headers)
        };
        assert!(is(Method::GET, "/v1/responses", "websocket"));
        assert!(is(Method::GET, "/ws/x", "h2c, WebSocket"));
        assert!(is(Method::POST, "/v1/realtime/client_secrets", ""));
        assert!(is(Method::GET, "/v1/realtime", ""));
        assert!(!is(Method::POST, "/v1/chat/completions", "h2c"));
        assert!(!is(Method::GET, "/v1/models", "h2c") && !is(Method::GET, "/v1/realtimes", ""));
    }
}
