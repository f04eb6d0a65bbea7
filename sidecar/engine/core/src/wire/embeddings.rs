//! Embeddings among the dialects: who speaks which, and for each what `pointsman-wire` has.

use http::HeaderMap;
use pointsman_wire::form::{
    Cannot, EmbeddingReply, EmbeddingRequest, Encoding, Garbled, Tokens, Unreadable, Written,
};
use pointsman_wire::{Facts, bedrock_embed, embeddings, gemini, vertex_embed};

use super::Dialect;
use crate::table::{Provider, ProviderType};

/// Where Bedrock says what an answer is billed for whose body does not.
const BEDROCK_TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// How a caller wants its vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Numbers or base64.
    pub encoding: Encoding,
    /// How many there must be.
    pub vectors: usize,
}

impl Wish {
    pub(super) const fn of(asked: &EmbeddingRequest) -> Self {
        Self { encoding: asked.encoding, vectors: asked.inputs.len() }
    }
}

impl Dialect {
    /// Whether its answers are vectors.
    #[must_use]
    pub const fn embeds(self) -> bool {
        matches!(
            self,
            Self::Embeddings
                | Self::GeminiEmbed
                | Self::GeminiEmbedBatch
                | Self::Titan
                | Self::Cohere
                | Self::VertexContents
                | Self::VertexPredict
        )
    }

    /// In what a provider is asked for vectors by callers of `own`; `None`: it has none.
    pub(super) fn embedding(provider: &Provider, own: Self) -> Option<Self> {
        match provider.kind {
            ProviderType::Gemini if own != Self::Embeddings => Some(own),
            ProviderType::Gemini => Some(Self::GeminiEmbedBatch),
            ProviderType::Bedrock if provider.model.contains("titan-embed") => Some(Self::Titan),
            ProviderType::Bedrock if provider.model.contains("cohere.embed") => Some(Self::Cohere),
            ProviderType::Vertex if provider.model.contains("gemini") => Some(Self::VertexContents),
            ProviderType::Vertex => Some(Self::VertexPredict),
            ProviderType::Bedrock | ProviderType::Anthropic => None,
            ProviderType::OpenAI
            | ProviderType::OpenAICompatible
            | ProviderType::SelfHosted
            | ProviderType::AzureOpenAI => Some(Self::Embeddings),
        }
    }

    pub(super) fn read_embedding_request(
        self,
        body: &[u8],
    ) -> Result<EmbeddingRequest, Unreadable> {
        match self {
            Self::Embeddings => embeddings::request::read(body),
            _ => gemini::embed::request::read(body),
        }
    }

    pub(super) fn write_embedding_request(
        self,
        asked: &EmbeddingRequest,
        model: &str,
    ) -> Result<Written, Cannot> {
        match self {
            Self::GeminiEmbed | Self::GeminiEmbedBatch => {
                gemini::embed::request::write(asked, model)
            }
            Self::Titan => bedrock_embed::titan::write(asked, model),
            Self::Cohere => bedrock_embed::cohere::write(asked),
            Self::VertexContents => vertex_embed::contents::write(asked),
            Self::VertexPredict => vertex_embed::predict::write(asked),
            _ => embeddings::request::write(asked, model),
        }
    }

    /// Reads an answer of vectors.
    ///
    /// # Errors
    /// It is none.
    pub fn read_embeddings(
        self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<EmbeddingReply, Garbled> {
        let mut reply = match self {
            Self::GeminiEmbed | Self::GeminiEmbedBatch => gemini::embed::answer::read(body),
            Self::Titan => bedrock_embed::titan::read(body),
            Self::Cohere => bedrock_embed::cohere::read(body),
            Self::VertexContents => vertex_embed::contents::read(body),
            Self::VertexPredict => vertex_embed::predict::read(body),
            _ => embeddings::answer::read(body),
        }?;
        if reply.usage.is_none() {
            let told = headers.get(BEDROCK_TOKENS).and_then(|it| it.to_str().ok()?.parse().ok());
            reply.usage = told.map(|input| Tokens { input, ..Tokens::default() });
        }
        Ok(reply)
    }

    /// Writes an answer of vectors.
    #[must_use]
    pub fn write_embeddings(self, reply: &EmbeddingReply, wish: Wish, facts: &Facts) -> Vec<u8> {
        match self {
            Self::GeminiEmbed => gemini::embed::answer::write(reply, true),
            Self::GeminiEmbedBatch => gemini::embed::answer::write(reply, false),
            _ => embeddings::answer::write(reply, wish.encoding, facts),
        }
    }
}
