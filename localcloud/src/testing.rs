//! For tests of programs: each runs against a local cloud of the test's own, with nothing of the machine's AWS
//! settings, and within a limit, so that no test can hang.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use localcloud::{testing, LocalCloud, Options};
//! use std::time::Duration;
//!
//! let cloud = LocalCloud::start(Options::default())?;
//! let mut command = testing::command(&cloud, "target/debug/my-consumer");
//! let ended = testing::Running::start(&cloud, &mut command, Duration::from_secs(60))?.end();
//! assert!(ended.status.success(), "{}", ended.printed.join("\n"));
//! # Ok(())
//! # }
//! ```

mod feed;

pub use feed::Feed;

use crate::clock::Watched;
use crate::LocalCloud;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, thread};

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A program to be run against this local cloud: without standard input, and without the variables of this process
/// that would send it elsewhere.
pub fn command(cloud: &LocalCloud, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["AWS_", "LAB_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
        .stdin(Stdio::null())
        .env_remove("CARGO")
        .env_remove("RUST_BACKTRACE")
        .env("AWS_ENDPOINT_URL", cloud.endpoint());
    command
}

/// A program that runs. It is killed when its limit is over, and when this value is dropped.
pub struct Running {
    command: String,
    child: Child,
    lines: Receiver<String>,
    printed: Vec<String>,
    limit: Duration,
    ends: Instant,
    _watched: Watched,
}

/// A program that has ended.
pub struct Ended {
    /// The lines of its standard output and its standard error, in the order in which it wrote them.
    pub printed: Vec<String>,
    /// How it ended.
    pub status: ExitStatus,
}

impl Running {
    /// Starts the program. While it computes, a patient clock of this cloud stays where it is: see
    /// [`Clock::watch`](crate::clock::Clock::watch).
    ///
    /// # Errors
    ///
    /// There is no such program.
    pub fn start(cloud: &LocalCloud, command: &mut Command, limit: Duration) -> io::Result<Self> {
        let (output, writer) = io::pipe()?;
        let child = command
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
        // The writing ends of the pipe that this process holds.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let read = BufReader::new(output).split(b'\n').map_while(Result::ok);
            let mut texts = read.map(|line| String::from_utf8_lossy(&line).into_owned());
            texts.try_for_each(|line| sender.send(line))
        });
        let program = Path::new(command.get_program()).file_name();
        let mut text = program.unwrap_or_default().to_string_lossy().into_owned();
        for argument in command.get_args() {
            let _ = write!(text, " {}", argument.to_string_lossy());
        }
        Ok(Self {
            command: text,
            _watched: cloud.clock().watch(child.id()),
            child,
            lines,
            printed: Vec::new(),
            limit,
            ends: Instant::now() + limit,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints; none when it has closed its output.
    ///
    /// # Panics
    ///
    /// The limit is over. The message says what it has printed until then.
    pub fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(self.left()) {
            Ok(line) => {
                self.printed.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => self.give_up("waited for its next line"),
        }
    }

    /// Interrupts it as ^C does in a terminal, where there are signals; elsewhere it is killed.
    pub fn interrupt(&mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
    }

    /// Ends it with what the system has for that (SIGKILL): it learns nothing of it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// The limit is over. The message says what it has printed until then.
    pub fn end(mut self) -> Ended {
        while self.line().is_some() {}
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    let printed = std::mem::take(&mut self.printed);
                    return Ended { printed, status };
                }
                Ok(None) if self.left().is_zero() => self.give_up("waited for its end"),
                Ok(None) => thread::sleep(LOOK_AGAIN),
                Err(error) => panic!("`{}`: {error}", self.command),
            }
        }
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    fn give_up(&mut self, what: &str) -> ! {
        self.kill();
        panic!(
            "`{}` has run for {:?}; the test {what}. It has printed:\n{}",
            self.command,
            self.limit,
            self.printed.join("\n")
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// The inputs of a test beside its own code. A test that was green is not run again until one of them changes; with
/// the environment variable `ALL_TESTS` (or `CI`) all are run.
#[derive(Clone)]
pub struct Inputs(Sha256);

impl Inputs {
    /// Of a test with this name.
    pub fn of(test: &str) -> Self {
        Self(Sha256::new()).and(test)
    }

    /// This text.
    #[must_use]
    pub fn and(mut self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.0.update(text.len().to_le_bytes());
        self.0.update(text);
        self
    }

    /// The text of this file, or of all files below this folder.
    #[must_use]
    pub fn and_text(self, path: &Path) -> Self {
        let Ok(folder) = fs::read_dir(path) else {
            return self.and(fs::read(path).unwrap_or_default());
        };
        let mut paths: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let named = |inputs: Self, path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            inputs.and(name.as_encoded_bytes()).and_text(path)
        };
        paths.iter().fold(self, named)
    }

    /// This executable, as cargo has built it: by its time and its size.
    #[must_use]
    pub fn and_program(self, path: &Path) -> Self {
        let Ok(metadata) = fs::metadata(path) else {
            return self.and("no program");
        };
        let since = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let since = since.duration_since(SystemTime::UNIX_EPOCH);
        let built = since.unwrap_or_default().as_nanos();
        self.and(format!("{built} {}", metadata.len()))
    }

    /// Runs the test, unless it was green with the same inputs. The test says whether it is green; `folder` remembers
    /// that.
    pub fn unless_green(self, folder: &Path, test: impl FnOnce() -> bool) {
        let digest = self.0.finalize();
        let name = digest.iter().fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        });
        let mark = folder.join(name);
        let run_all = ["ALL_TESTS", "CI"]
            .iter()
            .any(|variable| env::var_os(variable).is_some());
        if mark.exists() && !run_all {
            return;
        }
        if test() {
            // Without the mark the test is run again: no harm.
            let _ = fs::create_dir_all(folder).and_then(|()| fs::write(mark, ""));
        }
    }
}
