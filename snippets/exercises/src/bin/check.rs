//! Says whether the exercise of a page is done, and deletes nothing. Page: `book/01-whoami.md`.
//!
//!     cargo run --bin check
//!     cargo run --bin check -- 04

use exercises::{queues, start, streams, Clients, Verdict};
use snippets::{connect, options, println, Result};
use std::env;
use std::process::{Command, ExitCode};

#[derive(clap::Parser)]
struct Options {
    /// The page: 4, 04, receive or 04-receive. Lists all of them when left out
    page: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Options { page } = options();
    let Some(page) = page else {
        list();
        return Ok(ExitCode::SUCCESS);
    };
    let page = exercises::find(&page)?;
    if page >= ABOUT_LAMBDA {
        return functions(page);
    }
    let clients = Clients::new(&connect().await);
    Ok(exercises::conclude(page, &look(page, &clients).await?))
}

/// The first page that `check-functions` looks after.
const ABOUT_LAMBDA: &str = "22";

/// Starts `check-functions`. That the first pages need not compile what it is made of, it is a program of its own, which
/// `cargo run --bin check` has not built.
fn functions(page: &str) -> Result<ExitCode> {
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
        build.args(["--bin", "check-functions", "--bin", "cleanup"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !build.status()?.success() {
            return Err("`check-functions` does not build".into());
        }
    }
    let program = format!("check-functions{}", env::consts::EXE_SUFFIX);
    let mut program = Command::new(env::current_exe()?.with_file_name(program));
    let ended = program
        .arg(page)
        .status()
        .map_err(|error| format!("check-functions: {error}: build it with `cargo build --bins`"))?;
    Ok(ExitCode::from(u8::from(!ended.success())))
}

/// The pages, and which of them are done.
fn list() {
    let done = exercises::done_before();
    for page in exercises::PAGES {
        let is_done = done.iter().any(|known| known == page);
        let state = if is_done { "done" } else { "" };
        let title = exercises::title(page).unwrap_or_default();
        println!("{state:4}  {page:20}  {title}");
    }
    println!("`cargo run --bin check -- 04` looks whether the exercise of page 04 is done");
}

async fn look(page: &str, clients: &Clients) -> Result<Verdict> {
    match page {
        "01-whoami" => start::whoami(clients).await,
        "02-create" => start::create(clients).await,
        "03-send" => queues::send(clients).await,
        "04-receive" => queues::receive(clients).await,
        "05-visibility" => queues::visibility(clients).await,
        "06-dead-letters" => queues::dead_letters(clients).await,
        "07-batch" => queues::batch(clients).await,
        "08-once" => queues::once(clients).await,
        "09-fifo" => queues::fifo(clients).await,
        "10-groups" => queues::groups(clients).await,
        "11-deduplication" => queues::deduplication(clients).await,
        "12-not-once" => queues::not_once(clients).await,
        "13-both" => streams::both(clients).await,
        "14-put" => streams::put(clients).await,
        "15-get" => streams::get(clients).await,
        "16-lost-records" => streams::lost_records(clients).await,
        "17-put-many" => streams::put_many(clients).await,
        "18-hot-keys" => streams::hot_keys(clients).await,
        "19-reshard" => streams::reshard(clients).await,
        "20-checkpoints" => streams::checkpoints(clients).await,
        "21-fan-out" => streams::fan_out(clients).await,
        _ => Err(format!("{page} is checked by `check-functions`").into()),
    }
}
