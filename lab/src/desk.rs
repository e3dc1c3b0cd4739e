//! The desk itself: the local cloud and the book in one process, until ^C.

use crate::book::Book;
use crate::client::Client;
use crate::DeskOptions;
use crate::{logger, progress};
use anyhow::{anyhow, Context, Result};
use localcloud::{LocalCloud, Options, DEFAULT_PORT};
use serde_json::Value;
use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Rendering that takes longer says what it is doing.
const SILENCE: Duration = Duration::from_secs(2);
/// How often the desk looks for edits.
const LOOK: Duration = Duration::from_secs(1);

/// Starts the local cloud on `port`, serves the book and returns at ^C.
///
/// # Errors
///
/// The port is taken, or the system has no room for the desk.
pub fn run(port: Option<u16>, options: DeskOptions) -> Result<()> {
    let book = match (options.no_book, options.book.join("book.toml").is_file()) {
        (true, _) => None,
        (false, true) => Some(Arc::new(Book::new(options.book)?)),
        (false, false) => {
            eprintln!(
                "No book.toml in {}: starting without the book. --book DIR names its folder.",
                options.book.display()
            );
            None
        }
    };
    let port = port.unwrap_or(DEFAULT_PORT);
    let cloud = LocalCloud::start(Options {
        port,
        seed: options.seed,
        progress: Some(progress::file()),
        pages: book.as_ref().map(|book| book.pages()),
        ..Options::default()
    })
    .map_err(|error| cannot_start(port, error))?;
    logger::start(options.log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = work(&cloud, book) => outcome,
            outcome = stop() => outcome.context("can't wait for ^C"),
        }
    })?;
    say("Stopped.");
    Ok(())
}

fn cannot_start(port: u16, error: io::Error) -> anyhow::Error {
    if error.kind() != ErrorKind::AddrInUse {
        return anyhow::Error::new(error).context(format!("can't listen on 127.0.0.1:{port}"));
    }
    match Client::new(Some(port)).and_then(|client| client.get::<Value>("/lab/health")) {
        Ok(_) => anyhow!(
            "another local cloud is running at http://127.0.0.1:{port}: use it, or start one more with \
             `cargo run -- --port 0`"
        ),
        Err(_) => anyhow!(
            "another program has taken port {port}: stop it, or take any free port with `cargo run -- --port 0`"
        ),
    }
}

/// Renders the book, tells the reader where to go, and renders again after each edit.
async fn work(cloud: &LocalCloud, book: Option<Arc<Book>>) -> Result<()> {
    let Some(book) = book else {
        say(&ready(cloud, false));
        return pending().await;
    };
    let mut sources = book.sources();
    match render(&book).await? {
        Ok(()) => say(&ready(cloud, true)),
        Err(failure) => {
            eprintln!("The book could not be rendered: {failure}");
            say(&ready(cloud, false));
        }
    }
    loop {
        sleep(LOOK).await;
        let now = book.sources();
        if now == sources {
            continue;
        }
        sources = now;
        match render(&book).await? {
            Ok(()) => say("The book was edited and rendered again."),
            Err(failure) => eprintln!("The book could not be rendered: {failure}"),
        }
    }
}

async fn render(book: &Arc<Book>) -> Result<Result<(), String>> {
    let book = book.clone();
    let mut rendering = pin!(spawn_blocking(move || book.render()));
    let outcome = match timeout(SILENCE, &mut rendering).await {
        Ok(outcome) => outcome,
        Err(_) => {
            say("Rendering the book …");
            rendering.await
        }
    };
    Ok(outcome?)
}

/// Says that all is ready, and the reader's next step.
fn ready(cloud: &LocalCloud, with_book: bool) -> String {
    let endpoint = cloud.endpoint();
    let ready = if with_book {
        "The local cloud and the book are ready"
    } else {
        "The local cloud is ready"
    };
    let (open, program) = match (progress::next(&cloud.progress()), with_book) {
        (None, true) => ("open that page in a browser, and ".to_owned(), "whoami"),
        (None, false) => (String::new(), "whoami"),
        (Some(page), true) => (format!("go on at {endpoint}/{page}.html, and "), "check"),
        (Some(page), false) => (format!("go on with the page {page}, and "), "check"),
    };
    let port = match cloud.address().port() {
        DEFAULT_PORT => String::new(),
        _ if cfg!(windows) => format!("  $env:AWS_ENDPOINT_URL = \"{endpoint}\"\n"),
        _ => format!("  export AWS_ENDPOINT_URL={endpoint}\n"),
    };
    format!(
        "{ready} at {endpoint}  (seed {})\nNext: {open}in another terminal type\n{port}  cargo run --bin {program}\n^C stops it.",
        cloud.seed()
    )
}

/// Returns when the desk is asked to end.
#[cfg(unix)]
async fn stop() -> io::Result<()> {
    use tokio::signal::unix::{signal, SignalKind};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

/// Returns when the desk is asked to end.
#[cfg(not(unix))]
async fn stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Nobody may be reading: that is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
