//! The load client: prepared requests, checked answers, no allocation on the way.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::canned;
use super::message::Message;
use super::pacer::Pacer;
use super::report::Report;
use crate::{Failure, output, runtime};

/// Samples a second that the sample array has room for in the closed loop.
const SAMPLES_PER_SECOND: f64 = 60_000.0;

/// Command line of the load client.
#[derive(Args)]
pub(crate) struct Options {
    /// Where to send the requests (`http://host:port/path`)
    #[arg(long)]
    target: String,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// The measuring window in seconds
    #[arg(long, default_value_t = 5.0)]
    duration_s: f64,
    /// Load before the window, in seconds; it is checked but not measured
    #[arg(long, default_value_t = 1.0)]
    warmup_s: f64,
    /// Open loop: requests a second, latency from the due time; closed loop if absent
    #[arg(long)]
    rate: Option<f64>,
    /// Request bodies, one JSON document a line
    #[arg(long)]
    bodies: PathBuf,
    /// The bodies ask for streams; latency is the time to the first content
    #[arg(long)]
    stream: bool,
    /// Content events every stream must have
    #[arg(long, default_value_t = 100)]
    stream_chunks: usize,
    /// Check length and fingerprint (streams: events and `[DONE]`) of every answer, not just status
    #[arg(long)]
    check: bool,
    /// Header added to every request (`name: value`), may be repeated
    #[arg(long)]
    header: Vec<String>,
    /// File for the raw samples (nanoseconds, u64, little-endian)
    #[arg(long)]
    samples: Option<PathBuf>,
}

struct Load {
    address: String,
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    report: Report,
    pacer: Option<Pacer>,
    begin: Instant,
    end: Instant,
    stream: Option<usize>,
    check: bool,
}

/// Runs the load; prints `begin` when the window opens and one JSON line when it is over.
///
/// # Errors
/// When the options or the bodies are unusable.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let (address, requests) = prepare(&options)?;
    let expected = options.rate.unwrap_or(SAMPLES_PER_SECOND) * options.duration_s;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime()?, async move {
        let begin = Instant::now() + Duration::from_secs_f64(options.warmup_s);
        let load = Rc::new(Load {
            address,
            requests,
            next: Cell::new(0),
            report: Report::new(expected as usize + 1024),
            pacer: options.rate.map(Pacer::new).transpose()?,
            begin,
            end: begin + Duration::from_secs_f64(options.duration_s),
            stream: options.stream.then_some(options.stream_chunks),
            check: options.check,
        });
        // Streams would otherwise beat in step: they begin over the first half of the warm-up.
        let ramp = if options.stream { options.warmup_s / 2.0 } else { 0.0 };
        let step = Duration::from_secs_f64(ramp / options.connections.max(1) as f64);
        let connections: Vec<_> = (0..u32::try_from(options.connections)?)
            .map(|number| tokio::task::spawn_local(connection(Rc::clone(&load), step * number)))
            .collect();
        let pacing = Rc::clone(&load);
        let pacer = tokio::task::spawn_local(async move {
            match &pacing.pacer {
                Some(pacer) => pacer.run(pacing.end).await,
                None => Ok(()),
            }
        });
        tokio::time::sleep_until(load.begin.into()).await;
        output::say("begin");
        tokio::time::sleep_until(load.end.into()).await;
        output::say("end");
        pacer.await??;
        for connection in connections {
            // The last answers are waited for; without due arrivals nobody else waits.
            if load.pacer.is_none() || load.stream.is_some() {
                connection.await?;
            }
        }
        let backlog = load.pacer.as_ref().map_or(0, Pacer::backlog);
        if let Some(path) = &options.samples {
            load.report.write_samples(path)?;
        }
        output::say(&load.report.line(options.duration_s, backlog).to_string());
        Ok(())
    })
}

/// The address and the complete requests.
fn prepare(options: &Options) -> Result<(String, Vec<Vec<u8>>), Failure> {
    let rest = options.target.strip_prefix("http://").ok_or("--target must begin with http://")?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let extra: String = options.header.iter().map(|header| format!("{header}\r\n")).collect();
    let text = std::fs::read(&options.bodies)?;
    let bodies = text.split(|byte| *byte == b'\n').filter(|body| !body.is_empty());
    let requests: Vec<Vec<u8>> = bodies
        .map(|body| {
            let head = format!(
                "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
                 {extra}content-length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        })
        .collect();
    if requests.is_empty() {
        return Err("--bodies holds no request".into());
    }
    Ok((address.to_owned(), requests))
}

/// One connection: request, answer, check, again; a broken one is an error and opened anew.
async fn connection(load: Rc<Load>, after: Duration) {
    tokio::time::sleep(after).await;
    while Instant::now() < load.end {
        if let Err(error) = exchange_all(&load).await {
            load.report.failed(&error.to_string());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn exchange_all(load: &Load) -> Result<(), Failure> {
    let mut socket = TcpStream::connect(&load.address).await?;
    socket.set_nodelay(true)?;
    let mut message = Message::new();
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let start = match &load.pacer {
            Some(pacer) => pacer.ticket().await,
            None => Instant::now(),
        };
        if start >= load.end {
            return Ok(());
        }
        let next = load.next.get();
        load.next.set((next + 1) % load.requests.len());
        socket.write_all(&load.requests[next]).await?;
        let done = exchange(load, &mut socket, &mut message, &mut buffer).await?;
        let problem = if load.check { problem(load, &message) } else { status_problem(&message) };
        if let Some(problem) = problem {
            load.report.failed(&problem);
        } else if Instant::now() >= load.begin {
            load.report.answered(done.duration_since(start), message.body().len());
        }
    }
}

/// Reads one answer; returns when it was whole, or for streams when its first content came.
async fn exchange(
    load: &Load,
    socket: &mut TcpStream,
    message: &mut Message,
    buffer: &mut Vec<u8>,
) -> Result<Instant, Failure> {
    let mut first = None;
    let mut counted = 0;
    loop {
        if socket.read_buf(buffer).await? == 0 {
            return Err("the connection ended before the answer".into());
        }
        let whole = message.read(buffer).map_err(|_bad| "the answer is no HTTP")?;
        if load.stream.is_some() {
            let body = message.body();
            // An event may lie across two reads: look again at what could be its beginning.
            let from: usize = counted;
            let found = memchr::memmem::find_iter(&body[from..], canned::CONTENT);
            let (count, last) = found.fold((0, None), |(count, _), at| (count + 1, Some(at)));
            counted = last.map_or(from, |at| from + at + canned::CONTENT.len());
            counted = counted.max(body.len().saturating_sub(canned::CONTENT.len() - 1));
            let now = Instant::now();
            if count > 0 {
                first.get_or_insert(now);
                if (load.begin..load.end).contains(&now) {
                    load.report.streamed(count);
                }
            }
        }
        if whole {
            return Ok(first.unwrap_or_else(Instant::now));
        }
    }
}

fn status_problem(message: &Message) -> Option<String> {
    let status = message.status();
    (status != 200).then(|| format!("status {status}: {}", beginning(message.body())))
}

/// What is wrong with an answer, if anything.
fn problem(load: &Load, message: &Message) -> Option<String> {
    let body = message.body();
    status_problem(message).or_else(|| match load.stream {
        None => (!canned::is_whole(body) && !canned::has_whole_text(body))
            .then(|| format!("changed: {}", beginning(body))),
        Some(chunks) => {
            let count = memchr::memmem::find_iter(body, canned::CONTENT).count();
            let done = body.trim_ascii_end().ends_with(canned::DONE);
            (count != chunks || !done).then(|| format!("{count} of {chunks} events, end: {done}"))
        }
    })
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
