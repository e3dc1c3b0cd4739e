//! Runs the console sessions under `book/transcripts/` and compares what they print with what the book shows.
//! Rewrite them after a change with
//!
//!     TRANSCRIPTS=overwrite cargo test --test transcripts
//!
//! Each file is a session of its own, on a local cloud of its own with seed 1. A line `$ cargo run …` is a command,
//! what follows is its output and, unless it is 0, its exit code. A line `^C` in the output interrupts the program
//! once it has printed the lines above; below it stands the last thing it printed. Lines that begin with `#` are
//! kept: comments, and the anchors that pages include.

mod session;

use localcloud::{LocalCloud, Options};
use session::run;
use snapbox::report::{write_diff, Palette};
use snapbox::{Data, Redactions};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, thread};

/// A fixed seed makes a session repeatable.
const SEED: u64 = 1;

#[test]
fn sessions_print_what_the_book_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of the transcripts")
        .map(|entry| entry.expect("a transcript").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let differences: Vec<String> = thread::scope(|scope| {
        let sessions: Vec<_> = files
            .iter()
            .map(|file| {
                let name = file.display().to_string();
                let thread = thread::Builder::new().name(name);
                let session = thread.spawn_scoped(scope, || difference(file));
                session.expect("a thread for each session")
            })
            .collect();
        sessions
            .into_iter()
            .filter_map(|session| session.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    assert!(
        differences.is_empty(),
        "{}\nTo take this over into the book: TRANSCRIPTS=overwrite cargo test --test transcripts",
        differences.join("\n")
    );
}

/// How the session of this file differs from the file. None when it doesn't, or when the file is rewritten.
fn difference(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_string_lossy();
    let shown = fs::read_to_string(file).expect("a transcript is text");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.as_ref());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for what the session writes");
    let printed = replay(&shown, &folder);
    let (expected, actual) = (redact(&shown), redact(&printed));
    if expected == actual {
        return None;
    }
    if env::var("TRANSCRIPTS").is_ok_and(|what| what == "overwrite") {
        fs::write(file, printed).expect("a transcript can be written");
        return None;
    }
    let mut report = String::new();
    write_diff(
        &mut report,
        &Data::text(expected),
        &Data::text(actual),
        Some(&format!("book/transcripts/{name}")),
        Some(&"this run"),
        Palette::plain(),
    )
    .expect("a difference can be written");
    Some(report)
}

/// The session's text with the outputs that its commands have now, when they run in this folder.
fn replay(shown: &str, folder: &Path) -> String {
    let cloud = LocalCloud::start(Options {
        seed: SEED,
        patience: Some(Duration::from_millis(200)),
        ..Options::default()
    })
    .expect("the local cloud starts");
    let mut text = String::new();
    let mut lines = shown.lines().peekable();
    while let Some(line) = lines.next() {
        text += &format!("{line}\n");
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        let mut output = Vec::new();
        while let Some(line) =
            lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with('#'))
        {
            output.push(line);
        }
        let interrupt_after = output.iter().position(|line| *line == "^C");
        text += &run(command, folder, &cloud.endpoint(), interrupt_after);
        let space = output.iter().rev().take_while(|line| line.is_empty());
        text += &"\n".repeat(space.count());
    }
    text
}

/// Without what differs from run to run.
fn redact(text: &str) -> String {
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
    redactions.redact(text)
}
