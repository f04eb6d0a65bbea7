//! What an engine and its front end can do: the numbers the model runs on, and the two presets
//! that are fitted to a real vLLM (`calibration`).

/// Rates and sizes. Times are microseconds of work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    /// API server processes in front of the engine.
    pub(crate) front_ends: usize,
    /// Mean time that a request takes on its way in and that keeps nobody else waiting; it is
    /// distributed exponentially.
    pub(crate) latency_us: f64,
    /// A front end's work for one request that comes: connection, head, body.
    pub(crate) receive_us: f64,
    /// A front end's work to take it in: check, render, tokenise, hand over.
    pub(crate) admit_us: f64,
    /// The same for each prompt token.
    pub(crate) admit_token_us: f64,
    /// Rounds of a front end's event loop that it takes to receive a request.
    pub(crate) receive_rounds: usize,
    /// Requests that a front end takes in between two rounds of sending.
    pub(crate) admit_burst: usize,
    /// A front end's work for one stream event.
    pub(crate) chunk_us: f64,
    /// How much dearer a front end's work becomes with each request that waits in it.
    pub(crate) congestion: f64,
    /// An engine step without requests.
    pub(crate) step_us: f64,
    /// What each running request adds to a step.
    pub(crate) step_request_us: f64,
    /// What each prompt token that is computed adds to a step.
    pub(crate) prefill_token_us: f64,
    /// Steps that are already planned when a request comes to a busy engine.
    pub(crate) planned_steps: u64,
    /// Steps that the engine may be ahead of its front ends before it waits for them.
    pub(crate) lead_steps: usize,
    /// Requests in one step at most (`max_num_seqs`).
    pub(crate) slots: usize,
    /// Prompt tokens computed in one step at most (`max_num_batched_tokens`).
    pub(crate) step_tokens: usize,
    /// KV cache in tokens.
    pub(crate) kv_tokens: usize,
}

impl Profile {
    /// vLLM 0.24, one H100, an 8B model, one API server process; fitted by a random search over
    /// both tables (`calibration`), then rounded.
    pub(crate) fn vllm() -> Self {
        Self {
            front_ends: 1,
            latency_us: 15_000.0,
            receive_us: 5_300.0,
            admit_us: 2_200.0,
            admit_token_us: 4.4,
            receive_rounds: 8,
            admit_burst: 1,
            chunk_us: 92.0,
            congestion: 0.000_7,
            step_us: 6_200.0,
            step_request_us: 41.0,
            prefill_token_us: 20.0,
            planned_steps: 1,
            lead_steps: 2,
            slots: 1024,
            step_tokens: 8192,
            kv_tokens: 431_408,
        }
    }

    /// The same with `--api-server-count 6` and the KV cache that this leaves.
    pub(crate) fn six_front_ends() -> Self {
        Self { front_ends: 6, kv_tokens: 171_952, ..Self::vllm() }
    }
}
