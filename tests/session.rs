//! What the tests share that run the book's programs as a reader types them.

use snapbox::Redactions;
use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// A fixed seed makes a session repeatable.
pub const SEED: u64 = 1;

/// Where the reader's local cloud listens: the address of a test's own is shown as this one.
const SHOWN: &str = "127.0.0.1:4566";

/// Runs `[NAME=value] cargo run [--bin program] [-- arguments]` and returns what it prints.
pub fn run(command: &str, folder: &Path, endpoint: &str, interrupt_after: Option<usize>) -> String {
    let (output, writer) = io::pipe().expect("a pipe");
    let mut starting = self::command(command, folder, endpoint);
    let mut child = starting
        .stdout(writer.try_clone().expect("a pipe"))
        .stderr(writer)
        .spawn()
        .unwrap_or_else(|error| panic!("`{command}`: {error}: run the whole `cargo test`"));
    // The writing ends of the pipe that this process holds.
    drop(starting);

    let mut lines = BufReader::new(output)
        .lines()
        .map(|line| line.expect("programs print text"));
    let mut printed: Vec<String> = Vec::new();
    if let Some(count) = interrupt_after {
        printed.extend(lines.by_ref().take(count));
        assert_eq!(printed.len(), count, "`{command}` ended before its ^C");
        interrupt(&child);
        // What it prints until the signal comes through depends on the moment: only the last line is kept.
        printed.push("^C".to_owned());
        printed.extend(lines.last());
    } else {
        printed.extend(lines);
    }
    let status = child.wait().expect("the program ends");
    match status.code() {
        Some(0) => {}
        Some(code) => printed.push(format!("(exit code {code})")),
        None => printed.push(format!("({status})")),
    }
    let printed: String = printed.iter().map(|line| format!("{line}\n")).collect();
    printed.replace(endpoint.trim_start_matches("http://"), SHOWN)
}

/// `[NAME=value] cargo run [--bin program] [-- arguments]`, to be run in this folder with this local cloud.
pub fn command(text: &str, folder: &Path, endpoint: &str) -> Command {
    let mut words = text.split_whitespace().peekable();
    let mut variables = vec![("AWS_ENDPOINT_URL", endpoint)];
    while let Some(variable) = words.next_if(|word| word.contains('=')) {
        variables.extend(variable.split_once('='));
    }
    let words: Vec<&str> = words.collect();
    let (program, arguments) = match words.as_slice() {
        ["cargo", "run", "--bin", program] => (*program, &[][..]),
        ["cargo", "run", "--bin", program, "--", arguments @ ..] => (*program, arguments),
        ["cargo", "run", "--", arguments @ ..] => ("lab", arguments),
        _ => panic!("`{text}`: a session runs programs with `cargo run`"),
    };
    let mut command = Command::new(built(program));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("LAB_") {
            command.env_remove(&name);
        }
    }
    command
        .env_remove("RUST_BACKTRACE")
        // By this `tour` knows that it may have to build the other programs.
        .env_remove("CARGO")
        .env("LAB_PROGRESS", folder.join("progress.txt"))
        .envs(variables);
    command
}

/// The executable that cargo built beside this test.
fn built(program: &str) -> PathBuf {
    let mut path = env::current_exe().expect("the path of this test");
    path.pop();
    path.set_file_name(format!("{program}{}", env::consts::EXE_SUFFIX));
    path
}

/// What ^C does in a terminal.
fn interrupt(child: &Child) {
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("the command `kill`");
    assert!(status.success(), "the program is interrupted");
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
        redactions
            .insert(name, pattern)
            .expect("a name in brackets");
    }
    redactions
}
