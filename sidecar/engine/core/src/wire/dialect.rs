//! The dialects that surfaces and providers speak, and for each what the crate `pointsman-wire` has.

use pointsman_wire::form::{
    Cannot, Conversation, Garbled, Reader, Reply, Unreadable, Writer, Written,
};
use pointsman_wire::openai_chat::quirks::Spelling;
use pointsman_wire::{
    Facts, Fault, anthropic_messages, bedrock_converse, gemini, openai_chat, openai_completions,
    openai_media, openai_responses,
};

use crate::error::{Class, Refusal};
use crate::surface::Surface;
use crate::table::{Provider, ProviderType, StreamEnd};

/// A format of requests, answers, streams and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's older completions.
    Completions,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Gemini's generateContent.
    Gemini,
    /// Amazon Bedrock's Converse.
    Converse,
    /// Gemini's embedding of one content.
    GeminiEmbed,
    /// The same of several.
    GeminiEmbedBatch,
    /// Amazon's embedding models at Bedrock.
    Titan,
    /// Cohere's embedding models at Bedrock.
    Cohere,
    /// Gemini's embedding models at Vertex AI.
    VertexContents,
    /// Its older ones.
    VertexPredict,
    /// OpenAI's sound and images, which only pass through.
    Media,
}

/// Calls `$call` of the module of a dialect that callers speak; dialects of embeddings, which have readers
/// and writers of their own (`embeddings`), and Converse, which only providers speak, are `$other`.
macro_rules! of_surface {
    ($dialect:expr, $module:ident => $call:expr, else $other:expr) => {
        match $dialect {
            Dialect::Chat => {
                use openai_chat as $module;
                $call
            }
            Dialect::Messages => {
                use anthropic_messages as $module;
                $call
            }
            Dialect::Gemini | Dialect::GeminiEmbed | Dialect::GeminiEmbedBatch => {
                use gemini as $module;
                $call
            }
            Dialect::Responses => {
                use openai_responses as $module;
                $call
            }
            Dialect::Completions => {
                use openai_completions as $module;
                $call
            }
            Dialect::Converse
            | Dialect::Embeddings
            | Dialect::Titan
            | Dialect::Cohere
            | Dialect::VertexContents
            | Dialect::VertexPredict
            | Dialect::Media => $other,
        }
    };
}

/// The same of a dialect that providers speak.
macro_rules! of_provider {
    ($dialect:expr, $module:ident => $call:expr, else $other:expr) => {
        match $dialect {
            Dialect::Converse => {
                use bedrock_converse as $module;
                $call
            }
            others => of_surface!(others, $module => $call, else $other),
        }
    };
}

impl Dialect {
    /// What providers of this type speak.
    #[must_use]
    pub const fn of(kind: ProviderType) -> Self {
        match kind {
            ProviderType::OpenAI
            | ProviderType::OpenAICompatible
            | ProviderType::SelfHosted
            | ProviderType::AzureOpenAI => Self::Chat,
            ProviderType::Anthropic => Self::Messages,
            ProviderType::Gemini | ProviderType::Vertex => Self::Gemini,
            ProviderType::Bedrock => Self::Converse,
        }
    }

    /// What a provider is asked in by callers of this surface: its own words where it has them, so that
    /// nothing is translated. `None`: it has no such thing at all.
    #[must_use]
    pub fn spoken(provider: &Provider, surface: Surface) -> Option<Self> {
        let (own, main) = (surface.dialect(), Self::of(provider.kind));
        // A gateway is ours: it speaks every surface, and translates where the provider is called.
        if own == main || provider.gateway.is_some() {
            return Some(own);
        }
        match own {
            _ if own.embeds() => Self::embedding(provider, own),
            Self::Media => (main == Self::Chat).then_some(own),
            Self::Responses if provider.surfaces.iter().any(|it| it == "Responses") => Some(own),
            Self::Completions if provider.surfaces.iter().any(|it| it == "Completions") => {
                Some(own)
            }
            _ => Some(main),
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// It is not of the dialect's shape.
    pub fn read_request(self, body: &[u8]) -> Result<Conversation, Unreadable> {
        of_surface!(self, dialect => dialect::request::read(body), else Err(Unreadable {
            path: "body".to_owned(),
            why: "cannot be translated".to_owned(),
        }))
    }

    /// Writes a request for the model of this name, as its OpenAI-like provider spells it.
    ///
    /// # Errors
    /// The dialect cannot give the kind of answer that was asked for.
    pub fn write_request<'a>(
        self,
        asked: &Conversation,
        model: &str,
        to: impl Into<Spelling<'a>>,
    ) -> Result<Written, Cannot> {
        if self == Self::Chat {
            return openai_chat::request::write_for(asked, model, to);
        }
        of_provider!(self, dialect => dialect::request::write(asked, model), else Err(Cannot {
            path: "model".to_owned(),
            why: "its candidates have no chat; ask one that has",
        }))
    }

    /// Reads a plain answer.
    ///
    /// # Errors
    /// It is none.
    pub fn read_answer(self, body: &[u8]) -> Result<Reply, Garbled> {
        of_provider!(self, dialect => dialect::answer::read(body), else Err(Garbled::Malformed))
    }

    /// Writes a plain answer.
    #[must_use]
    pub fn write_answer(self, reply: &Reply, facts: &Facts) -> Vec<u8> {
        of_surface!(self, dialect => dialect::answer::write(reply, facts), else Vec::new())
    }

    /// Reads a provider's stream of so many choices; `None`: there are none.
    #[must_use]
    pub fn reader(self, end: StreamEnd, choices: u64) -> Option<Box<dyn Reader>> {
        if self == Self::Chat && end == StreamEnd::Eof {
            return Some(Box::new(openai_chat::stream::Reader::ending_with_body()));
        }
        if self == Self::Media {
            return Some(Box::new(openai_media::Reader::default()));
        }
        if self == Self::Gemini {
            let choices = usize::try_from(choices).unwrap_or(usize::MAX);
            return Some(Box::new(gemini::stream::Reader::of(choices)));
        }
        of_provider!(self, dialect => Some(Box::new(dialect::stream::Reader::default())), else None)
    }

    /// Writes a surface's stream; `None`: there are none.
    #[must_use]
    pub fn writer(self, surface: Surface, facts: Facts) -> Option<Box<dyn Writer>> {
        if surface == Surface::GenerateArray {
            return Some(Box::new(gemini::stream::Writer::array(facts)));
        }
        of_surface!(self, dialect => Some(Box::new(dialect::stream::Writer::new(facts))), else None)
    }

    /// An error as a document.
    #[must_use]
    pub fn plain_error(self, fault: &Fault) -> Vec<u8> {
        of_surface!(self, dialect => dialect::error::plain(fault), else openai_chat::error::plain(fault))
    }

    /// An error as a stream's last event.
    #[must_use]
    pub fn error_event(self, fault: &Fault) -> Vec<u8> {
        of_surface!(self, dialect => dialect::error::event(fault), else openai_chat::error::event(fault))
    }

    /// One of our own refusals, with the status that the dialect's own provider would give it.
    #[must_use]
    pub fn fault(self, refusal: &Refusal, request_id: &str) -> Fault {
        let mut fault = refusal.fault(request_id);
        if self == Self::Messages && refusal.class() == Class::Budget && fault.status == 429 {
            fault.status = 402; // its clients would try a 429 again
        }
        fault
    }

    /// Whether errors look as OpenAI's do.
    #[must_use]
    pub const fn has_openai_errors(self) -> bool {
        matches!(
            self,
            Self::Embeddings | Self::Chat | Self::Completions | Self::Responses | Self::Media
        )
    }

    /// Whether streams come as event-stream messages, and not as server-sent events.
    #[must_use]
    pub const fn has_messages(self) -> bool {
        matches!(self, Self::Converse)
    }

    /// Whether streams break off as OpenAI's chat does.
    #[must_use]
    pub const fn has_chat_streams(self) -> bool {
        matches!(self, Self::Embeddings | Self::Chat | Self::Completions | Self::Media)
    }
}
