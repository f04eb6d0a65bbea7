//! The recorded streams, and the downstream body that the engine makes of what arrived.

use bytes::Bytes;
use pointsman_core::sse::{ChatStream, StreamFault, StreamOptions, cut_event};
use pointsman_core::table::StreamEnd;

/// A recorded body and what its call was.
pub(crate) struct Recording {
    pub(crate) name: &'static str,
    pub(crate) body: &'static [u8],
    pub(crate) choices: u32,
    pub(crate) end: StreamEnd,
}

macro_rules! recording {
    ($name:literal, $choices:literal, $end:ident) => {
        Recording {
            name: $name,
            body: include_bytes!(concat!("../streams/", $name, ".sse")),
            choices: $choices,
            end: StreamEnd::$end,
        }
    };
}

/// Every recording of a complete answer.
pub(crate) const COMPLETE: &[Recording] = &[
    recording!("vllm_usage", 1, Done),
    recording!("vllm_continuous_usage", 1, Done),
    recording!("vllm_n2_stream", 2, Done),
    recording!("vllm_tool_named_stream", 1, Done),
    recording!("openai_text_usage", 1, Done),
    recording!("openai_parallel_tools", 1, Done),
    recording!("openai_two_choices", 2, Done),
    recording!("openai_refusal", 1, Done),
    recording!("azure_filters", 1, Done),
    recording!("deepseek_queued", 1, Done),
    recording!("groq_usage", 1, Done),
    recording!("odd_framing", 1, Done),
    recording!("empty_answer", 1, Done),
    recording!("ends_by_eof", 1, Eof),
];

/// What a caller gets: the bytes, how it ended, and the stream's own account.
pub(crate) struct Downstream {
    pub(crate) body: Vec<u8>,
    pub(crate) result: Result<(), StreamFault>,
    pub(crate) stream: ChatStream,
}

/// Runs pieces through the engine as `handle` does; a fault after the commit adds the cut event.
pub(crate) fn run<'a>(
    options: StreamOptions,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Downstream {
    let mut stream = ChatStream::new(options);
    let mut out = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        if let Err(fault) = stream.push(Bytes::copy_from_slice(piece), &mut out) {
            result = Err(fault);
            break;
        }
    }
    if result.is_ok() {
        result = stream.finish(&mut out);
    }
    let mut body = out.concat();
    if let Err(fault) = &result {
        assert!(stream.committed() || body.is_empty(), "bytes went down before the commit");
        if stream.committed() {
            body.extend_from_slice(&cut_event(fault));
        }
    }
    Downstream { body, result, stream }
}

impl Recording {
    pub(crate) fn options(&self, strip_usage_event: bool) -> StreamOptions {
        StreamOptions { strip_usage_event, end: self.end, choices: self.choices }
    }
}
