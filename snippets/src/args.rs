//! The command line of the programs.

use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use std::path::Path;
use std::{env, fs};

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

/// For a program without options: `--help` says what it does, and anything else is a mistake.
pub fn no_options() {
    parsed(Command::new("program"));
}

/// Whether `--name` is given, for a program with this one option.
pub fn flag(name: &'static str, help: &'static str) -> bool {
    let option = Arg::new(name).long(name).help(help);
    let command = Command::new("program").arg(option.action(ArgAction::SetTrue));
    parsed(command).get_flag(name)
}

/// The command line as this command reads it.
pub(crate) fn parsed(command: Command) -> ArgMatches {
    let program = program();
    let about = about(&program).unwrap_or_else(|| "A program of Queues & Streams".to_owned());
    let described = command.about(about).bin_name(program).after_help(
        "LAB_NAME=alice    puts `alice-` before every name, so that a class can share an account\n\
         LAB_TARGET=aws    connects to your own AWS account instead of the local cloud\n\
         AWS_ENDPOINT_URL  names another endpoint",
    );
    described.get_matches()
}

/// The program's own name, as cargo built it.
fn program() -> String {
    env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "program".to_owned())
}

/// The beginning of the program's source: what it does, its page and how it is run.
fn about(program: &str) -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str| fs::read_to_string(here.join(folder).join(format!("{program}.rs")));
    let mut folders = ["src/bin", "exercises/src/bin", "deployment/src/bin"].into_iter();
    let source = folders.find_map(|folder| read(folder).ok())?;
    let lines = source.lines().skip_while(|line| !line.starts_with("//!"));
    let lines = lines.map_while(|line| line.strip_prefix("//!"));
    let mut about = String::new();
    for line in lines {
        match line.strip_prefix("     ") {
            Some(command) => about += &format!("\n  {}", command.trim()),
            None => about += &line.replace('`', ""),
        }
    }
    Some(about.trim().replacen("\n", "\n\n", 1))
}
