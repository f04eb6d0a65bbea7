//! What a writer of answers knows in every test.

use pointsman_wire::Facts;

pub(crate) fn facts() -> Facts {
    Facts {
        id: "abc".into(),
        requested: "auto".into(),
        now: 1_700_000_000,
        input_estimate: 10,
        stream_usage: true,
    }
}
