//! The commands for a local cloud that runs already: `clock`, `fault`, `reset`, `status`.

use crate::client::Client;
use crate::{duration, progress, target, Command, FaultCommand};
use anyhow::Result;
use localcloud::faults::{Fault, Kind};
use serde::Deserialize;
use serde_json::{json, Value};
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::time::{Duration, UNIX_EPOCH};

#[derive(Deserialize)]
struct Clock {
    now_ms: u64,
    moved_ms: u64,
}

#[derive(Deserialize)]
struct Progress {
    done: Vec<String>,
}

#[derive(Deserialize)]
pub struct Status {
    seed: u64,
    clock: Clock,
    faults: Vec<Fault>,
    queues: Vec<Queue>,
    streams: Vec<Stream>,
    functions: Vec<Function>,
    roles: Vec<Role>,
    log_groups: Vec<LogGroup>,
}

impl Status {
    pub fn queue_names(&self) -> Vec<&str> {
        self.queues.iter().map(|queue| &*queue.name).collect()
    }

    pub fn role_names(&self) -> Vec<&str> {
        self.roles.iter().map(|role| &*role.name).collect()
    }
}

#[derive(Deserialize)]
struct Function {
    name: String,
    state: String,
    running: u64,
    warm: u64,
}

#[derive(Deserialize)]
struct Role {
    name: String,
    policies: Vec<String>,
}

#[derive(Deserialize)]
struct LogGroup {
    name: String,
    streams: u64,
    events: u64,
}

#[derive(Deserialize)]
struct Stream {
    name: String,
    shards: u64,
    status: String,
}

#[derive(Deserialize)]
struct Queue {
    name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
}

/// Carries out `command` and prints what the local cloud answers.
///
/// # Errors
///
/// No local cloud runs there, or it refuses.
pub fn run(port: Option<u16>, command: Command) -> Result<()> {
    let cloud = Client::new(port)?;
    let text = match command {
        Command::Clock { by: None } => clock(&cloud.get("/lab/clock")?),
        Command::Clock { by: Some(by) } => {
            let body = json!({ "advance_ms": by }).to_string();
            let moved: Clock = cloud.post("/lab/clock", &body)?;
            format!("Moved by {}.\n{}", duration::show(by), clock(&moved))
        }
        Command::Fault(command) => faults(&fault(&cloud, command)?),
        Command::Reset => {
            let _: Value = cloud.post("/lab/reset", "")?;
            "The local cloud is empty.\nNext: `cargo run --bin create`".to_owned()
        }
        Command::Status => {
            let Progress { done } = cloud.get("/lab/progress")?;
            place(&done) + &status(&cloud.get("/lab/status")?)
        }
    };
    match writeln!(std::io::stdout(), "{text}") {
        // Whoever reads has seen enough, such as `head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(Into::into),
    }
}

/// The faults that wait after `command`.
fn fault(cloud: &Client, command: FaultCommand) -> Result<Vec<Fault>> {
    let (kind, target, times) = match command {
        FaultCommand::DuplicateDelivery { target, times } => {
            (Kind::DuplicateDelivery, target, times)
        }
        FaultCommand::LostResponse { operation, times } => {
            (Kind::LostResponse, operation.target, times)
        }
        FaultCommand::Throttle { operation, times } => (Kind::Throttle, operation.target, times),
        FaultCommand::FifoQuota { target, times } => (Kind::FifoQuota, target, times),
        FaultCommand::StreamQuota { operation, times } => {
            (Kind::StreamQuota, operation.target, times)
        }
        FaultCommand::PolicyDelay { target, times } => (Kind::PolicyDelay, target, times),
        FaultCommand::List => return cloud.get("/lab/faults"),
        FaultCommand::Clear => return cloud.delete("/lab/faults"),
    };
    let fault = Fault {
        kind,
        target,
        count: times.count,
    };
    target::check(&fault, &cloud.get("/lab/status")?)?;
    cloud.post("/lab/faults", &serde_json::to_string(&fault)?)
}

fn clock(clock: &Clock) -> String {
    let time = date(clock.now_ms);
    match clock.moved_ms {
        0 => format!("The local cloud's clock shows {time}, as this machine's does."),
        moved => format!(
            "The local cloud's clock shows {time}, {} ahead of this machine's.",
            duration::show(moved)
        ),
    }
}

/// `Mon, 23 Nov 2026 08:48:31 GMT`; beyond the year 9999, which the format cannot show, milliseconds.
fn date(now_ms: u64) -> String {
    const YEAR_10000_MS: u64 = 253_402_300_800_000;
    if now_ms < YEAR_10000_MS {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(now_ms))
    } else {
        format!("{now_ms} ms after 1970")
    }
}

fn faults(faults: &[Fault]) -> String {
    if faults.is_empty() {
        return "No faults wait to happen.".to_owned();
    }
    let mut text = "Faults that wait to happen:".to_owned();
    for fault in faults {
        let kind = fault.kind.name();
        let target = fault.target.as_deref().unwrap_or("any");
        let _ = write!(text, "\n  {kind:<18}  {target:<24}  {}", times(fault.count));
    }
    text
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// Which exercises are done, and where the reader goes on.
fn place(done: &[String]) -> String {
    let mut text = String::new();
    if !done.is_empty() {
        text += &format!("Done: {}\n", done.join(", "));
    }
    if let Some(next) = progress::next(done) {
        text += &format!("Next: {next}\n");
    }
    text
}

fn status(status: &Status) -> String {
    let mut text = format!(
        "Seed {}\n{}\n{}\n",
        status.seed,
        clock(&status.clock),
        faults(&status.faults)
    );
    if status.queues.is_empty() {
        text += "No queues yet.\n";
    }
    let queues = status.queues.iter().map(|queue| {
        let counts = [queue.visible, queue.in_flight, queue.delayed];
        row(&queue.name, counts.map(|count| count.to_string()))
    });
    let streams = status.streams.iter().map(|stream| {
        let shards = stream.shards.to_string();
        row(&stream.name, [shards, stream.status.clone()])
    });
    let functions = status.functions.iter().map(|function| {
        let (running, warm) = (function.running.to_string(), function.warm.to_string());
        row(&function.name, [function.state.clone(), running, warm])
    });
    let roles = status.roles.iter().map(|role| {
        let policies = if role.policies.is_empty() {
            "none".to_owned()
        } else {
            role.policies.join(", ")
        };
        row(&role.name, [policies])
    });
    let log_groups = status.log_groups.iter().map(|group| {
        let counts = [group.streams, group.events];
        row(&group.name, counts.map(|count| count.to_string()))
    });
    let tables = [
        table(&["Queue", "visible", "in flight", "delayed"], queues),
        table(&["Stream", "shards", "status"], streams),
        table(&["Function", "state", "running", "warm"], functions),
        table(&["Role", "policies"], roles),
        table(&["Log group", "streams", "events"], log_groups),
    ];
    text += tables.concat().trim_end();
    text.trim_end().to_owned()
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}

/// A line for each row under its heading, with columns of nine characters, or as wide as the longest name; numbers stand
/// on the right. Nothing when there are no rows.
fn table(heading: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    let Some(first) = rows.first() else {
        return String::new();
    };
    let is_number = |cell: &String| cell.bytes().all(|digit| digit.is_ascii_digit());
    let numbers: Vec<bool> = first.iter().map(is_number).collect();
    let heading = heading.iter().map(ToString::to_string).collect();
    let lines: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let widest = lines.iter().map(|line| line[0].len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let mut columns = String::new();
        for (i, cell) in line.iter().enumerate() {
            let width = if i == 0 { widest } else { 9 };
            let _ = if numbers[i] && i > 0 {
                write!(columns, "{cell:>width$}  ")
            } else {
                write!(columns, "{cell:<width$}  ")
            };
        }
        text += columns.trim_end();
        text.push('\n');
    }
    text
}
