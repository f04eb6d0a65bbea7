//! The bench's parts: what stands behind the proxies (`origin`), the baseline (`proxy`), and what
//! stands before them (`load`). Harness: `tests/bench/`.

pub(crate) mod canned;
pub(crate) mod load;
mod message;
pub(crate) mod origin;
mod pacer;
pub(crate) mod proxy;
mod report;
