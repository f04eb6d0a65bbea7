//! Keeps what arrived: `NNNNNN.head.json` (method, target, version, headers in order) and
//! `NNNNNN.body` (the exact bytes). The head is written last, so that a reader that sees it
//! finds the body complete.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request::Parts;
use serde_json::json;

/// The folder and the next number.
pub(crate) struct Capture {
    folder: PathBuf,
    next: AtomicU64,
}

impl Capture {
    /// Captures into `folder`, made if missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn open(folder: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, next: AtomicU64::new(1) })
    }

    /// Keeps one request.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn keep(&self, head: &Parts, body: &[u8]) -> std::io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = |end: &str| self.folder.join(format!("{number:06}.{end}"));
        let headers: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let document = json!({
            "method": head.method.as_str(),
            "path": head.uri.to_string(),
            "version": format!("{:?}", head.version),
            "headers": headers,
        });
        std::fs::write(path("body"), body)?;
        std::fs::write(path("part"), document.to_string())?;
        std::fs::rename(path("part"), path("head.json"))
    }
}
