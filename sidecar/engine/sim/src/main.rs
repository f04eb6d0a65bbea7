//! `pointsman-sim`: the outside world of the tests, the demo and the bench. It plays providers
//! (and bills for them) and self-hosted engines, and holds the bench's origin, baseline proxy and load client. It shares
//! no code with `core`, so that an error there cannot hide itself here.

mod bench;
mod control;
mod engine;
mod output;
mod provider;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Command line of the simulator.
#[derive(Parser)]
#[command(
    name = "pointsman-sim",
    version,
    about = "Simulated providers and engines, and the bench's parts"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A scripted provider (OpenAI, Azure, Anthropic, Gemini, Bedrock) that bills what it sends (docs/contracts.md 7)
    Provider {
        /// JSON configuration file
        #[arg(long)]
        config: PathBuf,
    },
    /// A simulated self-hosted engine with a queueing model behind it (docs/contracts.md 7)
    Engine {
        /// JSON configuration file
        #[arg(long)]
        config: PathBuf,
    },
    /// The bench's origin: the same canned chat completion for every request
    Origin(bench::origin::Options),
    /// The bench's baseline: a bare hyper proxy
    Proxy(bench::proxy::Options),
    /// The bench's load client: one JSON line of checked results
    Load(bench::load::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Provider { config } => provider::run(&config),
        Command::Engine { config } => engine::run(&config),
        Command::Origin(options) => bench::origin::run(options),
        Command::Proxy(options) => bench::proxy::run(options),
        Command::Load(options) => bench::load::run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Anything that ends the process; it is printed as one line.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Builds the one-threaded runtime every subcommand runs on.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
