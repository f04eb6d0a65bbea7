//! What every dialect is translated through: requests, answers and streams, in no provider's words.
//!
//! The form is generous: what one dialect can say, it can hold. A *writer* leaves out what its own
//! dialect has no place for and says so ([`Loss`]); where leaving it out would give the caller another
//! kind of answer than asked for, it refuses ([`Cannot`]). Nothing is lost in silence.

mod answer;
mod embedding;
mod loss;
mod part;
mod request;
mod sequence;
mod stream;
mod usage;

pub use answer::{Choice, Finish, FinishReason, Reply};
pub use embedding::{EmbeddingInput, EmbeddingReply, EmbeddingRequest, Encoding};
pub use loss::{Cannot, Garbled, Loss, Unreadable, Written};
pub use part::{Call, Media, MediaKind, Part, Payload, Source, Thinking, ToolResult};
pub use request::{
    Conversation, Dialect, Effort, Format, Reasoning, Role, Settings, Tool, ToolChoice, Turn,
    Verbosity,
};
pub use sequence::Sequencer;
pub use stream::{Event, Frame, Opening, Piece, Reader, Writer};
pub use usage::Tokens;
