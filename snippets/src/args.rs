//! The command line of the programs.

use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use std::sync::atomic::{AtomicBool, Ordering};

static PARSED: AtomicBool = AtomicBool::new(false);

// ANCHOR: args
/// The options of the programs that run until ^C.
#[derive(Parser)]
pub struct Args {
    /// Stop after N messages instead of at ^C
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub count: u64,

    /// The queue's name
    #[arg(long, value_name = "NAME", default_value = "StandardQueue")]
    pub queue: String,
}
// ANCHOR_END: args

/// The option of the programs that ask one queue for something.
#[derive(Parser)]
pub struct QueueArgs {
    /// The queue's name
    #[arg(long, value_name = "NAME", default_value = "StandardQueue")]
    pub queue: String,
}

// ANCHOR: stream_args
/// The options of the programs that put into a stream, or get from it, until ^C.
#[derive(Parser)]
pub struct StreamArgs {
    /// Stop after N records instead of at ^C
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub count: u64,

    /// The stream's name
    #[arg(long, value_name = "NAME", default_value = "KinesisStream")]
    pub stream: String,
}
// ANCHOR_END: stream_args

/// Reads the command line as `T` describes it; `--help` and mistakes end the program here.
pub fn options<T: Parser>() -> T {
    T::from_arg_matches(&parsed(T::command())).unwrap_or_else(|error| error.exit())
}

impl Args {
    /// Reads the command line; `--help` and mistakes end the program here.
    pub fn from_command_line() -> Self {
        options()
    }
}

/// Whether `--name` is given, for a program with this one option.
pub fn flag(name: &'static str, help: &'static str) -> bool {
    let option = Arg::new(name).long(name).help(help);
    let command = Command::new("program").arg(option.action(ArgAction::SetTrue));
    parsed(command).get_flag(name)
}

/// The command line as this command reads it.
pub(crate) fn parsed(command: Command) -> ArgMatches {
    PARSED.store(true, Ordering::Relaxed);
    described(command).get_matches()
}

/// For the programs that take no options: `--help` works, and anything else is a mistake.
pub(crate) fn expect_none() {
    if !PARSED.load(Ordering::Relaxed) {
        parsed(Command::new("program"));
    }
}

fn described(command: Command) -> Command {
    let name = env_name();
    command
        .about("A program of Queues & Streams. The first lines of its source name its page in book/")
        .after_help(
            "LAB_NAME=alice    puts `alice-` before every name, so that a class can share an account\n\
             LAB_TARGET=aws    connects to your own AWS account instead of the local cloud\n\
             AWS_ENDPOINT_URL  names another endpoint",
        )
        .bin_name(name)
}

/// The program's own name, as cargo built it.
fn env_name() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "program".to_owned())
}
