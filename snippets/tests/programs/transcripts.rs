//! Runs the console sessions under `book/transcripts/` and compares what they print with what the book shows.
//! Rewrite them after a change with
//!
//!     TRANSCRIPTS=overwrite cargo test --test programs transcripts
//!
//! Each file is a session of its own, on a local cloud of its own with seed 1. A line `$ cargo run …` is a command,
//! what follows is its output and, unless it is 0, its exit code. A line `^C` in the output interrupts the program
//! once it has printed the lines above; below it stands the last thing it printed. Lines that begin with `#` are
//! kept: comments, and the anchors that pages include.
//!
//! How long a reader waits for each session is in `book/times.txt`, from which the pages' minutes are reckoned.
//! Measure it anew, one session after the other and without skipping a wait, with
//!
//!     TIMES=overwrite cargo test --test programs transcripts

use crate::session::{self, green, inputs, redact, run, SEED};
use localcloud::clock::Pace;
use localcloud::{LocalCloud, Options};
use snapbox::report::{write_diff, Palette};
use snapbox::Data;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

/// How long a reader is taken to watch a program that runs until ^C.
const WATCHED: Duration = Duration::from_secs(10);

#[test]
fn sessions_print_what_the_book_shows() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book");
    let mut files: Vec<PathBuf> = fs::read_dir(book.join("transcripts"))
        .expect("the folder of the transcripts")
        .map(|entry| entry.expect("a transcript").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort_by_key(|file| fs::metadata(file).map(|file| std::cmp::Reverse(file.len())).ok());
    let measured = is_asked_for("TIMES");
    let rewrites = measured || is_asked_for("TRANSCRIPTS");
    let mut sessions: Vec<Session> = session::side_by_side(&files, measured.then_some(1), |file| {
        let shown = fs::read_to_string(file).expect("a transcript is text");
        let commands = shown.lines().filter_map(|line| line.strip_prefix("$ "));
        let inputs =
            inputs("session", commands).and(file.as_os_str().as_encoded_bytes()).and(&shown);
        if rewrites {
            return session(file, !measured);
        }
        let mut outcome = Session::unchanged(file);
        inputs.unless_green(&green(), || {
            outcome = session(file, true);
            outcome.difference.is_none()
        });
        outcome
    });
    sessions.sort_by(|a, b| a.name.cmp(&b.name));
    if measured {
        let times: String = sessions.iter().map(Session::time).collect();
        fs::write(book.join("times.txt"), times).expect("the times can be written");
    }
    let differences: Vec<String> =
        sessions.into_iter().filter_map(|session| session.difference).collect();
    assert!(
        differences.is_empty(),
        "{}\nTo take this over into the book: TRANSCRIPTS=overwrite cargo test --test programs transcripts",
        differences.join("\n")
    );
}

/// A session that has been run.
struct Session {
    name: String,
    wait: Duration,
    /// How it differs from its file. None when it doesn't, or when the file is rewritten.
    difference: Option<String>,
}

impl Session {
    /// One that was green with the same inputs.
    fn unchanged(file: &Path) -> Self {
        Self { name: name(file), wait: Duration::ZERO, difference: None }
    }

    /// Its line of `times.txt`: its name and the seconds that a reader waits.
    fn time(&self) -> String {
        format!("{} {:.1}\n", self.name, self.wait.as_secs_f64())
    }
}

fn is_asked_for(variable: &str) -> bool {
    env::var(variable).is_ok_and(|what| what == "overwrite")
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn session(file: &Path, skip_waits: bool) -> Session {
    let name = name(file);
    let shown = fs::read_to_string(file).expect("a transcript is text");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for what the session writes");
    let (printed, wait) = replay(&shown, &folder, skip_waits);
    let (expected, actual) = (redact(&shown), redact(&printed));
    let mut difference = None;
    if expected != actual && is_asked_for("TRANSCRIPTS") {
        fs::write(file, printed).expect("a transcript can be written");
    } else if expected != actual {
        let mut report = String::new();
        write_diff(
            &mut report,
            &Data::text(expected),
            &Data::text(actual),
            Some(&format!("book/transcripts/{name}.txt")),
            Some(&"this run"),
            Palette::plain(),
        )
        .expect("a difference can be written");
        difference = Some(report);
    }
    Session { name, wait, difference }
}

/// The session's text with the outputs that its commands have now, when they run in this folder; and how long a reader
/// waits for them.
fn replay(shown: &str, folder: &Path, skip_waits: bool) -> (String, Duration) {
    let cloud = LocalCloud::start(Options {
        seed: SEED,
        pace: if skip_waits { Pace::Patient(Duration::from_millis(200)) } else { Pace::Machine },
        ..Options::default()
    })
    .expect("the local cloud starts");
    let mut text = String::new();
    let mut wait = Duration::ZERO;
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
        let start = Instant::now();
        text += &run(&cloud, command, folder, interrupt_after);
        wait += interrupt_after.map_or(start.elapsed(), |_| WATCHED);
        let space = output.iter().rev().take_while(|line| line.is_empty());
        text += &"\n".repeat(space.count());
    }
    (text, wait)
}
