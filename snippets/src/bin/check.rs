//! Says whether the exercise of a page is done. Page: `book/01-whoami.md`.
//!
//!     cargo run --bin check
//!     cargo run --bin check -- 04

use snippets::check::{self, queues, start, Clients, Verdict};
use snippets::{connect, options, Result};
use std::process::ExitCode;

#[derive(clap::Parser)]
#[command(
    long_about = "Looks at the cloud and says whether the exercise of a page is done. It deletes nothing"
)]
struct Options {
    /// The page: 4, 04, receive or 04-receive. Lists all of them when left out
    page: Option<String>,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Options { page } = options();
    let Some(page) = page else {
        list();
        return Ok(ExitCode::SUCCESS);
    };
    let page = check::find(&page)?;
    let clients = Clients::new(&connect().await);
    Ok(check::conclude(page, &look(page, &clients).await?))
}
// ANCHOR_END: main

/// The pages, and which of them are done.
fn list() {
    let done = check::done_before();
    for page in check::PAGES {
        let state = if done.iter().any(|known| known == page) {
            "done"
        } else {
            ""
        };
        let title = check::title(page).unwrap_or_default();
        println!("{state:4}  {page:20}  {title}");
    }
    println!("`cargo run --bin check -- 04` looks whether the exercise of page 04 is done");
}

// ANCHOR: look
async fn look(page: &str, clients: &Clients) -> Result<Verdict> {
    match page {
        "01-whoami" => start::whoami(clients).await,
        "02-create" => start::create(clients).await,
        "03-send" => queues::send(clients).await,
        "04-receive" => queues::receive(clients).await,
        "05-visibility" => queues::visibility(clients).await,
        _ => Err(format!("{page} has no check").into()),
    }
}
// ANCHOR_END: look
