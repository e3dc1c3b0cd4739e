//! `println!` and `eprintln!` for people at a terminal: who reads only the first lines, and who waits for the next one.
//!
//! Those of the standard library panic when nobody reads any more, as in `cargo run --bin order | head -1`, and a program
//! that panics deletes nothing of what it made. With these it goes on without printing and cleans up; one that runs until
//! ^C ends.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Prints a line. When nobody reads any more, it does nothing.
#[macro_export]
macro_rules! println {
    () => { $crate::print_line(format_args!("")) };
    ($($text:tt)*) => { $crate::print_line(format_args!($($text)*)) };
}

/// Prints a line to the standard error. When nobody reads any more, it does nothing.
#[macro_export]
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::print_error_line(format_args!($($text)*)) };
}

static GONE: Notify = Notify::const_new();

/// Returns when nobody reads any more what is printed.
pub async fn reader_gone() {
    GONE.notified().await;
}

#[doc(hidden)]
pub fn print_line(text: fmt::Arguments<'_>) {
    // Before the stream is locked: the watch writes to it while it holds the silence.
    Silence::lock().end();
    printed(writeln!(io::stdout(), "{text}"));
}

#[doc(hidden)]
pub fn print_error_line(text: fmt::Arguments<'_>) {
    Silence::lock().end();
    printed(writeln!(io::stderr(), "{text}"));
}

fn printed(outcome: io::Result<()>) {
    match outcome {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => GONE.notify_one(),
        Err(error) => panic!("can't print: {error}"),
        Ok(()) => {}
    }
}

/// So long a program may say nothing. Then the terminal shows for how long it has been working.
const MAX_SILENCE: Duration = Duration::from_secs(2);

/// Since when nothing was printed.
struct Silence {
    since: Instant,
    /// The seconds that the terminal shows; 0 is none.
    shown: u64,
}

impl Silence {
    /// The first line that is printed begins the watch.
    fn lock() -> MutexGuard<'static, Self> {
        static SILENCE: LazyLock<Mutex<Silence>> = LazyLock::new(|| {
            let since = Instant::now();
            Mutex::new(Silence { since, shown: 0 })
        });
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            if io::stderr().is_terminal() {
                thread::spawn(Self::watch);
            }
        });
        SILENCE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch() {
        loop {
            thread::sleep(Duration::from_millis(200));
            let mut silence = Self::lock();
            let seconds = silence.since.elapsed().as_secs();
            if seconds >= MAX_SILENCE.as_secs() && seconds > silence.shown {
                // The cursor stands at the beginning of the line: whatever comes next, such as the prompt, overwrites it.
                let _ = write!(io::stderr(), "… {seconds} s\r");
                silence.shown = seconds;
            }
        }
    }

    /// Something is about to be printed.
    fn end(&mut self) {
        if self.shown > 0 {
            let _ = write!(io::stderr(), "{:12}\r", "");
        }
        self.since = Instant::now();
        self.shown = 0;
    }
}
