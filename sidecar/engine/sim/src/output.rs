//! What the process says: one line at a time, so that a reader never sees half of one.

use std::io::Write;

/// Writes one line to standard output (results for the harness). A reader that went away is
/// the harness's business, not ours.
pub(crate) fn say(line: &str) {
    let _gone = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes one line to standard error.
pub(crate) fn complain(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "pointsman-sim: {line}");
}
