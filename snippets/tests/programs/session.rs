//! Runs the book's programs as a reader types them.

use localcloud::testing::{self, Inputs, Running};
use localcloud::LocalCloud;
use snapbox::Redactions;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

/// A fixed seed makes a session repeatable.
pub const SEED: u64 = 1;

/// No program of the book runs longer: one that does hangs.
pub const LIMIT: Duration = Duration::from_secs(300);

/// How many programs run at a time: most of their time they wait.
const AT_A_TIME: usize = 24;

/// Where the reader's local cloud listens: the address of a test's own is shown as this one.
const SHOWN: &str = "127.0.0.1:4566";

/// Runs `[NAME=value] cargo run [--bin program] [-- arguments]` and returns what it prints.
pub fn run(
    cloud: &LocalCloud,
    command: &str,
    folder: &Path,
    interrupt_after: Option<usize>,
) -> String {
    let mut running = start(cloud, &mut self::command(cloud, command, folder));
    let mut printed: Vec<String> = Vec::new();
    if let Some(count) = interrupt_after {
        for _ in 0..count {
            let line = running.line();
            printed.push(line.unwrap_or_else(|| panic!("`{command}` ended before its ^C")));
        }
        running.interrupt();
    }
    let ended = running.end();
    match interrupt_after {
        None => printed = ended.printed,
        Some(count) => {
            // How much it prints until the signal comes through depends on the moment: only the last line is kept.
            printed.push("^C".to_owned());
            printed.extend(ended.printed.into_iter().skip(count).next_back());
        }
    }
    match ended.status.code() {
        Some(0) => {}
        Some(code) => printed.push(format!("(exit code {code})")),
        None => printed.push(format!("({})", ended.status)),
    }
    let printed: String = printed.iter().map(|line| format!("{line}\n")).collect();
    printed.replace(cloud.endpoint().trim_start_matches("http://"), SHOWN)
}

pub fn start(cloud: &LocalCloud, command: &mut Command) -> Running {
    let running = Running::start(cloud, command, LIMIT);
    running.unwrap_or_else(|error| panic!("{error}: run the whole `cargo test`"))
}

/// `[NAME=value] cargo run [--bin program] [-- arguments]`, to be run in this folder with this local cloud.
pub fn command(cloud: &LocalCloud, text: &str, folder: &Path) -> Command {
    let (variables, program, arguments) = parts(text);
    let mut command = testing::command(cloud, built(program));
    command
        .args(arguments)
        .current_dir(folder)
        .env("LAB_PROGRESS", folder.join("progress.txt"))
        .envs(variables);
    command
}

type Variables<'a> = Vec<(&'a str, &'a str)>;

fn parts(text: &str) -> (Variables<'_>, &str, Vec<&str>) {
    let mut words = text.split_whitespace().peekable();
    let mut variables = Vec::new();
    while let Some(variable) = words.next_if(|word| word.contains('=')) {
        variables.extend(variable.split_once('='));
    }
    let words: Vec<&str> = words.collect();
    match words.as_slice() {
        ["cargo", "run", "--bin", program] => (variables, program, Vec::new()),
        ["cargo", "run", "--bin", program, "--", arguments @ ..] => {
            (variables, program, arguments.to_vec())
        }
        ["cargo", "run", "--", arguments @ ..] => (variables, "lab", arguments.to_vec()),
        _ => panic!("`{text}`: a session runs programs with `cargo run`"),
    }
}

/// The executable that cargo built beside this test.
pub fn built(program: &str) -> PathBuf {
    let mut path = env::current_exe().expect("the path of this test");
    path.pop();
    path.set_file_name(format!("{program}{}", env::consts::EXE_SUFFIX));
    path
}

/// The inputs of a test of these commands: their programs, the functions that they may deploy, and this executable,
/// which holds the local cloud. The tour takes a minute, and its steps are programs with sessions of their own: it is
/// run when it has changed itself, and when all tests are.
pub fn inputs<'a>(test: &str, commands: impl IntoIterator<Item = &'a str>) -> Inputs {
    let programs: Vec<&str> = commands.into_iter().map(|text| parts(text).1).collect();
    let mut inputs = Inputs::of(test);
    if !programs.contains(&"tour") {
        inputs = inputs.and_program(&env::current_exe().expect("the path of this test"));
    }
    let programs = programs.into_iter().chain(FUNCTIONS).map(built);
    programs.fold(inputs, |inputs, program| inputs.and_program(&program))
}

const FUNCTIONS: [&str; 5] =
    ["sqs-function", "picky-function", "slow-function", "kinesis-function", "picky-kinesis"];

/// Where it is remembered which tests were green.
pub fn green() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("green")
}

/// Does this for all of them, many at a time, and gives back what comes of it, in their order.
pub fn side_by_side<T: Send + Sync, R: Send>(
    all: &[T],
    at_a_time: Option<usize>,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let waiting = Mutex::new(all.iter().enumerate().rev().collect::<Vec<_>>());
    let next = || waiting.lock().ok()?.pop();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_a_time.unwrap_or(AT_A_TIME))
            .map(|_| {
                scope.spawn(|| {
                    let work = |(n, one)| (n, work(one));
                    std::iter::from_fn(next).map(work).collect::<Vec<_>>()
                })
            })
            .collect();
        let done = |worker: thread::ScopedJoinHandle<'_, Vec<_>>| {
            let done = worker.join();
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(done).collect()
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}
/// Without what differs from run to run.
pub fn redact(text: &str) -> String {
    static REDACTIONS: LazyLock<Redactions> = LazyLock::new(redactions);
    REDACTIONS.redact(text)
}

fn redactions() -> Redactions {
    let mut redactions = Redactions::new();
    for (name, pattern) in [
        ("[LETTERS]", r"\b[A-Z]{16}\b"),
        ("[TIME]", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"),
        ("[TIME]", r"\b(\w{3}, \d\d \w{3} \d{4} )?\d\d:\d\d:\d\d\b"),
        ("[DURATION]", r"\b\d+(\.\d+)? ?(ms|µs)\b"),
        ("[DURATION]", r"\bin \d+(\.\d+)? s\b"),
        ("[MEMORY]", r"\bUsed: \d+ MB\b"),
        ("[SEQUENCE]", r"\b\d{56}\b"),
        ("[ATTEMPTS]", r"\b\d+ attempts\b"),
        ("[UUID]", r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
        ("[OS]", r"\(os error \d+\)"),
    ] {
        let pattern = regex::Regex::new(pattern).expect("a pattern");
        redactions.insert(name, pattern).expect("a name in brackets");
    }
    redactions
}
