//! (being built)

pub mod document;
mod farewell;
pub mod instant;
mod session;

pub use self::farewell::farewell;
pub use self::session::{SyncState, Unexpected};
