//! Why a journal does not work, in words that say what helps.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no journal, and so no lease.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The folder or a file in it cannot be used.
    #[error(
        "the journal {path} cannot be used: {source}; give stateDir a writable folder with free space"
    )]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No folder was given.
    #[error("no stateDir is configured: mount a folder that survives a container restart")]
    NoFolder,
    /// Another engine holds the folder.
    #[error(
        "the journal folder {0} is in use by another engine; give each sidecar its own stateDir"
    )]
    InUse(PathBuf),
    /// Too many former boots wait to be reported.
    #[error(
        "{count} journals in {path} wait to be reported; the hub must be reached before more is leased"
    )]
    Unreported {
        /// The folder.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// There was no journal from the start.
    #[error("the journal {0} was not made")]
    NoFile(PathBuf),
    /// A name does not fit its record.
    #[error("the journal has no room for the name {0}")]
    TooLong(String),
}
