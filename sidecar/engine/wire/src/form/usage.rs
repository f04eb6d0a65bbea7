//! What an answer cost, in tokens.

/// Tokens as billed. OpenAI's and Gemini's reports count cached tokens in the input, Anthropic's and
/// Bedrock's beside it: here they are always **in** it. Reasoning is always in `output` (Gemini reports it
/// beside). An explicit zero is a value, not a missing one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Prompt, with all that was read from or written to a cache.
    pub input: u64,
    /// The part of `input` read from a cache.
    pub cache_read: u64,
    /// The part of `input` written to a cache for five minutes, or for the provider's usual time.
    pub cache_write: u64,
    /// The part of `input` written to a cache for an hour or longer.
    pub cache_write_long: u64,
    /// Answer, reasoning and rejected predictions included.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
    /// The part of `input` that was sound, or images where those have a price of their own.
    pub audio_input: u64,
    /// The part of `output` that was.
    pub audio_output: u64,
    /// Seconds of sound, where those are billed.
    pub units: u64,
    /// Searches that the provider ran, billed by the call.
    pub web_searches: u64,
    /// The tier that is billed, in the provider's word.
    pub service_tier: Option<String>,
}
