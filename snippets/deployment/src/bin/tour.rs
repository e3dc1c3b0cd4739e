//! Runs the whole lab from start to cleanup, and ends in a table of what it has verified. Page: `book/30-tour.md`.
//!
//!     cargo run --bin tour
//!     cargo run --bin tour -- --from 22

use clap::Parser;
use snippets::{connect, endpoint, options, pass, println, reader_gone, Result};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, fs};
use tokio::process::Command;
use tokio::signal::ctrl_c;
use tokio::time::timeout;

// ANCHOR: steps
/// A program of a page with its options, and what its success shows.
struct Step {
    page: &'static str,
    command: &'static str,
    /// Printed if it has to fail.
    fails: Option<&'static str>,
    shows: &'static str,
}

impl Step {
    /// Whether it is to be run when the tour begins with this page.
    fn belongs(&self, from: u8) -> bool {
        let number = self.page.split('-').next().and_then(|n| n.parse().ok());
        let program = self.command.split(' ').next();
        number >= Some(from) || matches!(program, Some("create" | "send" | "put"))
    }
}

const fn step(page: &'static str, command: &'static str, shows: &'static str) -> Step {
    Step { page, command, fails: None, shows }
}

const fn denied(page: &'static str, command: &'static str, words: &'static str) -> Step {
    Step { page, command, fails: Some(words), shows: "Without the permission it is refused" }
}

const NOT_THE_QUEUE: &str =
    "The function execution role does not have permissions to call ReceiveMessage on SQS";
const NOT_THE_STREAM: &str = "Please ensure the role can perform the GetRecords, \
     GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream in IAM";

#[rustfmt::skip]
const STEPS: &[Step] = &[
    step("01-whoami", "whoami", "The programs reach the cloud"),
    step("02-create", "create", "A stack makes the queue"),
    step("03-send", "send --count 10", "A sender puts messages into it"),
    step("04-receive", "receive --count 10", "A receiver takes them out and deletes them"),
    step("05-visibility", "visibility", "A message that isn't deleted comes back"),
    step("06-dead-letters", "dead-letters", "What nobody can handle is set aside"),
    step("07-batch", "batch", "A call takes ten, and each may fail alone"),
    step("08-once", "once", "Delivered twice, done once"),
    step("09-fifo", "create fifo-queue", "A stack makes the FIFO queue"),
    step("09-fifo", "fifo --count 10", "A sender puts messages of one group into it"),
    step("09-fifo", "in-order", "Two receivers, and each group in its order"),
    step("10-groups", "groups", "A message in flight blocks its group only"),
    step("11-deduplication", "deduplication", "Sent twice, stored once, for five minutes"),
    step("12-not-once", "not-once", "Too slow, and FIFO delivers it again"),
    step("13-both", "both", "A queue shares messages out, a stream does not"),
    step("14-put", "create kinesis-stream", "A stack makes the stream"),
    step("14-put", "put --count 12", "A producer puts records into it"),
    step("15-get", "get --count 12 --from start", "A reader gets them from the start"),
    step("16-lost-records", "lost-records", "LATEST again and again loses records"),
    step("17-put-many", "put-many", "PutRecords says Ok, and stores a part"),
    step("18-hot-keys", "hot-keys", "One hot key throttles its shard"),
    step("19-reshard", "reshard", "Shards split and merge, and keys keep their order"),
    step("20-checkpoints", "checkpoints --count 12 --file CHECKPOINTS", "A consumer stores how far it is"),
    step("21-fan-out", "fan-out", "Each registered consumer is sent everything"),
    step("22-sqs-function", "create sqs-function", "A stack makes a role and a log group"),
    step("22-sqs-function", "deploy sqs-function", "Lambda has the code"),
    denied("22-sqs-function", "trigger sqs-function", NOT_THE_QUEUE),
    step("22-sqs-function", "allow sqs-function", "The role gets the permission"),
    step("22-sqs-function", "trigger sqs-function", "With the permission, Lambda polls the queue"),
    step("22-sqs-function", "send --count 10", "Messages for the function"),
    step("22-sqs-function", "logs sqs-function --count 13", "It ran, and its log is there"),
    step("23-half-a-batch", "half-a-batch", "One bad message repeats all, or itself alone"),
    step("24-poison", "poison", "The poison is set aside, and run once mended"),
    step("25-scaling", "scaling", "Several batches at once, up to a limit"),
    step("26-kinesis-function", "create kinesis-function", "A stack makes a role and a log group"),
    step("26-kinesis-function", "deploy kinesis-function", "Lambda has the code"),
    denied("26-kinesis-function", "trigger kinesis-function", NOT_THE_STREAM),
    step("26-kinesis-function", "allow kinesis-function", "The role gets the permission"),
    step("26-kinesis-function", "trigger kinesis-function", "With the permission, Lambda polls the stream"),
    step("26-kinesis-function", "put --count 10", "Records for the function"),
    step("26-kinesis-function", "logs kinesis-function --count 13", "It ran, and its log is there"),
    step("27-blocked-shard", "blocked-shard", "A bad record blocks its shard until it is given up"),
    step("28-least-privilege", "least-privilege", "A role for one queue can't read another"),
];
// ANCHOR_END: steps

/// Pages wait for minutes on AWS; no program takes as long as this.
const MAX_TIME: Duration = Duration::from_secs(15 * 60);

#[derive(Parser)]
struct Options {
    /// Begin with this page, such as 22. Of the pages before it, run only what later ones need: stacks and what is sent
    #[arg(long, value_name = "PAGE", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u8).range(1..=28))]
    from: u8,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let from = options::<Options>().from;
    build().await?;
    connect().await;
    start_over().await?;
    let outcome = tokio::select! {
        outcome = all_steps(from) => outcome,
        stop = stopped() => Err(format!("stopped by {stop}").into()),
    };
    println!("\nCleaning up");
    let cleanup = run("cleanup").await?;
    println!("{}", cleanup.printed.trim_end());
    let _ = fs::remove_file(checkpoints());
    if cleanup.success {
        outcome
    } else {
        Err("something of the lab is left: repeat `cargo run --bin cleanup`".into())
    }
}
// ANCHOR_END: main

/// `cargo run --bin tour` may have built only this program.
async fn build() -> Result {
    let Some(cargo) = env::var_os("CARGO") else {
        return Ok(());
    };
    println!("Building the programs");
    let mut build = Command::new(cargo);
    build.args(["build", "--bins", "--manifest-path"]);
    build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if build.status().await?.success() {
        Ok(())
    } else {
        Err("the programs do not build".into())
    }
}

/// Deletes what the reader or an earlier tour left, and waits until the names of deleted queues are free again.
async fn start_over() -> Result {
    let found = run("cleanup --dry-run").await?.printed;
    if endpoint().is_none() && found.contains("Found ") {
        return Err(format!("{found}  this account has something under the lab's names: look at it, then run `cleanup`").into());
    }
    println!("Deleting what is there of the lab");
    let cleanup = run("cleanup").await?;
    if !cleanup.success {
        let why = cleanup.printed;
        return Err(format!("the tour begins with a cleanup, which failed\n{why}").into());
    }
    // Of a process that was killed and had the same number.
    let _ = fs::remove_file(checkpoints());
    pass(Duration::from_secs(61)).await;
    Ok(())
}

// ANCHOR: all_steps
/// Runs every step, also after one that failed. The table at the end has a line for each.
async fn all_steps(from: u8) -> Result {
    let begin = Instant::now();
    let mut table = String::new();
    let mut failed = Vec::new();
    let numbered = (1..).zip(STEPS);
    let steps: Vec<_> = numbered.filter(|(_, step)| step.belongs(from)).collect();
    for (n, step) in &steps {
        println!("[{n:2}/{}] {}", STEPS.len(), step.command);
        let since = Instant::now();
        let done = run(step.command).await?;
        let as_told = match step.fails {
            None => done.success,
            Some(words) => !done.success && done.printed.contains(words),
        };
        let verdict = if as_told { "ok" } else { "FAILED" };
        let seconds = since.elapsed().as_secs_f64();
        println!("        {verdict} in {seconds:.1} s: {}", step.shows);
        if !as_told {
            println!("{}", done.printed);
            failed.push(step.command);
        }
        table += &format!("{verdict:6}  {:20}  {}\n", step.page, step.shows);
    }
    let seconds = begin.elapsed().as_secs();
    let verified = steps.len() - failed.len();
    println!("\n{table}\n{verified} of {} verified in {seconds} s", steps.len());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("not verified: {}", failed.join(", ")).into())
    }
}
// ANCHOR_END: all_steps

/// The file of the step about checkpoints, not the reader's own.
fn checkpoints() -> PathBuf {
    env::temp_dir().join(format!("tour-{}.json", std::process::id()))
}

/// How a program ended, and all that it printed.
struct Done {
    success: bool,
    printed: String,
}

// ANCHOR: run
/// Runs a program beside this one to its end. When the tour is stopped, the program is, too.
async fn run(command: &str) -> Result<Done> {
    let given = |word: &str| match word {
        "CHECKPOINTS" => checkpoints().into_os_string(),
        word => word.into(),
    };
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default();
    let program = env::current_exe()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    let child = Command::new(program)
        .args(words.map(given))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let Ok(ended) = timeout(MAX_TIME, child).await else {
        let printed = format!("{name} still runs after {MAX_TIME:?}");
        return Ok(Done { success: false, printed });
    };
    let ended =
        ended.map_err(|error| format!("{name}: {error}: build it with `cargo build --bins`"))?;
    let printed = [ended.stdout, ended.stderr].concat();
    Ok(Done {
        success: ended.status.success(),
        printed: String::from_utf8_lossy(&printed).into_owned(),
    })
}
// ANCHOR_END: run

/// Waits for ^C, for the end of whoever reads or, on Unix, for `kill` or the end of the terminal.
async fn stopped() -> &'static str {
    tokio::select! {
        _ = ctrl_c() => "^C",
        () = killed() => "kill",
        () = reader_gone() => "the end of its reader",
    }
}

#[cfg(unix)]
async fn killed() {
    use tokio::signal::unix::{signal, SignalKind};
    match (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
        (Ok(mut kill), Ok(mut hangup)) => tokio::select! {
            _ = kill.recv() => {}
            _ = hangup.recv() => {}
        },
        _ => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn killed() {
    std::future::pending().await
}
