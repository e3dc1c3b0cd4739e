//! The desk of *Queues & Streams*: starts the local cloud and serves the book; its subcommands move the clock,
//! make faults, show what the local cloud holds and empty it.
//!
//!     cargo run

mod book;
mod client;
mod commands;
mod desk;
mod duration;
mod logger;
mod progress;
mod target;

use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The folder of this project, where `book.toml` was when the desk was built.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("")
}

/// The desk of Queues & Streams. Without a command it starts the local cloud, serves the book and runs until ^C;
/// the commands talk to a desk that runs in another terminal.
#[derive(Parser)]
#[command(
    name = "lab",
    bin_name = "cargo run --",
    args_conflicts_with_subcommands = true,
    after_help = "The commands look for the local cloud on --port, else at AWS_ENDPOINT_URL when that is an http \
                  address of this machine, else on port 4566."
)]
struct Cli {
    /// The port on 127.0.0.1, 4566 when left out; the desk takes any free one for 0
    #[arg(long, value_name = "N", global = true)]
    port: Option<u16>,

    #[command(flatten)]
    desk: DeskOptions,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct DeskOptions {
    /// Decides every random choice of the local cloud: the same seed repeats a run
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Show what the local cloud does: with debug, each call
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "warn",
        hide_default_value = true
    )]
    log: log::LevelFilter,

    /// Start the local cloud alone
    #[arg(long)]
    no_book: bool,

    /// The folder of the book's book.toml, this project when left out
    #[arg(long, value_name = "DIR", default_value_os_t = project(), hide_default_value = true)]
    book: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Show the local cloud's clock, or move it forward
    Clock {
        /// How far: +30s, +5m, +12h, +14d, +1h30m
        #[arg(value_name = "+TIME", allow_hyphen_values = true, value_parser = duration::parse)]
        by: Option<u64>,
    },
    /// Make something go wrong on the local cloud
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Empty the local cloud: queues, streams, functions, stacks, roles, logs and faults go at once, and their names are
    /// free again. The clock and the exercises that are done stay
    Reset,
    /// Show the exercises that are done, the seed, the clock, the faults that wait, and what there is: queues, streams,
    /// functions, roles, log groups
    Status,
}

#[derive(Subcommand)]
enum FaultCommand {
    /// A standard queue delivers a message twice
    DuplicateDelivery {
        /// The queue's name; any queue when left out
        #[arg(long, value_name = "QUEUE")]
        target: Option<String>,
        #[command(flatten)]
        times: Times,
    },
    /// An operation is carried out, but its answer never arrives
    LostResponse {
        #[command(flatten)]
        operation: Operation,
        #[command(flatten)]
        times: Times,
    },
    /// An operation is refused, as if there were too many calls
    Throttle {
        #[command(flatten)]
        operation: Operation,
        #[command(flatten)]
        times: Times,
    },
    /// A FIFO queue refuses calls beyond its quota
    FifoQuota {
        /// The queue's name; any FIFO queue when left out
        #[arg(long, value_name = "QUEUE")]
        target: Option<String>,
        #[command(flatten)]
        times: Times,
    },
    /// Kinesis refuses calls beyond their quota, other than of records
    StreamQuota {
        #[command(flatten)]
        operation: Operation,
        #[command(flatten)]
        times: Times,
    },
    /// A change of what a role may do, or of who may assume it, takes effect 5 seconds later
    PolicyDelay {
        /// The role's name; any role when left out
        #[arg(long, value_name = "ROLE")]
        target: Option<String>,
        #[command(flatten)]
        times: Times,
    },
    /// Show the faults that wait to happen
    List,
    /// Forget the faults that wait to happen
    Clear,
}

#[derive(Args)]
struct Operation {
    /// The operation, such as SendMessage; any when left out
    #[arg(long, value_name = "OPERATION")]
    target: Option<String>,
}

#[derive(Args)]
struct Times {
    /// How many times it happens
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => desk::run(cli.port, cli.desk),
        Some(command) => commands::run(cli.port, command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
