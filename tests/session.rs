//! Runs the commands of the book as a reader types them, for the tests of the sessions and of the checks.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Where the reader's local cloud listens: the address of a test's own is shown as this one.
const SHOWN: &str = "127.0.0.1:4566";

/// Runs `[NAME=value] cargo run [--bin program] [-- arguments]` and returns what it prints.
pub fn run(command: &str, folder: &Path, endpoint: &str, interrupt_after: Option<usize>) -> String {
    let mut words = command.split_whitespace().peekable();
    let mut variables = vec![("AWS_ENDPOINT_URL", endpoint)];
    while let Some(variable) = words.next_if(|word| word.contains('=')) {
        variables.extend(variable.split_once('='));
    }
    let words: Vec<&str> = words.collect();
    let (program, arguments) = match words.as_slice() {
        ["cargo", "run", "--bin", program] => (*program, &[][..]),
        ["cargo", "run", "--bin", program, "--", arguments @ ..] => (*program, arguments),
        ["cargo", "run", "--", arguments @ ..] => ("lab", arguments),
        _ => panic!("`{command}`: a session runs programs with `cargo run`"),
    };
    let (output, writer) = io::pipe().expect("a pipe");
    let mut starting = Command::new(built(program));
    starting
        .args(arguments)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone().expect("a pipe"))
        .stderr(writer);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("LAB_") {
            starting.env_remove(&name);
        }
    }
    let mut child = starting
        .env_remove("RUST_BACKTRACE")
        // By this `tour` knows that it may have to build the other programs.
        .env_remove("CARGO")
        .env("LAB_PROGRESS", folder.join("progress.txt"))
        .envs(variables)
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
