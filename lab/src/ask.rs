//! The commands that ask the running local cloud: `clock`, `fault`, `status`.

use crate::client::Client;
use crate::span::Span;
use crate::{progress, Command, FaultCommand};
use anyhow::Result;
use localcloud::faults::{Fault, Kind};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
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
struct Status {
    seed: u64,
    clock: Clock,
    faults: Vec<Fault>,
    queues: Vec<Queue>,
    streams: Vec<Stream>,
    functions: Vec<Function>,
    roles: Vec<Role>,
    log_groups: Vec<LogGroup>,
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
    let cloud = Client::new(port);
    let text = match command {
        Command::Clock { by: None } => clock(&cloud.get("/lab/clock")?),
        Command::Clock { by: Some(by) } => {
            let body = json!({ "advance_ms": by.0 }).to_string();
            let moved: Clock = cloud.post("/lab/clock", &body)?;
            format!("Moved by {by}.\n{}", clock(&moved))
        }
        Command::Fault(command) => faults(&fault(&cloud, command)?),
        Command::Status => {
            let Progress { done } = cloud.get("/lab/progress")?;
            place(&done) + &status(&cloud.get("/lab/status")?)
        }
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
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
        FaultCommand::PolicyDelay { target, times } => (Kind::PolicyDelay, target, times),
        FaultCommand::List => return cloud.get("/lab/faults"),
        FaultCommand::Clear => return cloud.delete("/lab/faults"),
    };
    let fault = Fault {
        kind,
        target,
        count: times.count,
    };
    cloud.post("/lab/faults", &serde_json::to_string(&fault)?)
}

fn clock(clock: &Clock) -> String {
    let time = date(clock.now_ms);
    match clock.moved_ms {
        0 => format!("The local cloud's clock shows {time}, as this machine's does."),
        moved => format!(
            "The local cloud's clock shows {time}, {} ahead of this machine's.",
            Span(moved)
        ),
    }
}

/// `Mon, 23 Nov 2026 08:48:31 GMT`; beyond the year 9999, which the format cannot show, milliseconds.
fn date(now_ms: u64) -> String {
    const YEAR_10000_MS: u64 = 253_402_300_800_000;
    match now_ms < YEAR_10000_MS {
        true => httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(now_ms)),
        false => format!("{now_ms} ms after 1970"),
    }
}

fn faults(faults: &[Fault]) -> String {
    if faults.is_empty() {
        return "No faults wait to happen.".to_owned();
    }
    let mut text = "Faults that wait to happen:".to_owned();
    for fault in faults {
        let kind = match fault.kind {
            Kind::DuplicateDelivery => "duplicate-delivery",
            Kind::LostResponse => "lost-response",
            Kind::Throttle => "throttle",
            Kind::FifoQuota => "fifo-quota",
            Kind::PolicyDelay => "policy-delay",
        };
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
        text += "No queues yet.";
    } else {
        queues(&mut text, &status.queues);
    }
    if !status.streams.is_empty() {
        streams(&mut text, &status.streams);
    }
    if !status.functions.is_empty() {
        functions(&mut text, &status.functions);
    }
    if !status.roles.is_empty() {
        roles(&mut text, &status.roles);
    }
    if !status.log_groups.is_empty() {
        log_groups(&mut text, &status.log_groups);
    }
    text
}

fn queues(text: &mut String, queues: &[Queue]) {
    let longest = queues.iter().map(|queue| queue.name.len()).max();
    let width = longest.unwrap_or(0).max("Queue".len());
    let _ = write!(
        text,
        "{:<width$}  {:>9}  {:>9}  {:>9}",
        "Queue", "visible", "in flight", "delayed"
    );
    for queue in queues {
        let _ = write!(
            text,
            "\n{:<width$}  {:>9}  {:>9}  {:>9}",
            queue.name, queue.visible, queue.in_flight, queue.delayed
        );
    }
}

fn streams(text: &mut String, streams: &[Stream]) {
    let longest = streams.iter().map(|stream| stream.name.len()).max();
    let width = longest.unwrap_or(0).max("Stream".len());
    let _ = write!(
        text,
        "\n{:<width$}  {:>9}  {:>9}",
        "Stream", "shards", "status"
    );
    for stream in streams {
        let _ = write!(
            text,
            "\n{:<width$}  {:>9}  {:>9}",
            stream.name, stream.shards, stream.status
        );
    }
}

fn functions(text: &mut String, functions: &[Function]) {
    let longest = functions.iter().map(|function| function.name.len()).max();
    let width = longest.unwrap_or(0).max("Function".len());
    let _ = write!(
        text,
        "\n{:<width$}  {:<9}  {:>9}  {:>9}",
        "Function", "state", "running", "warm"
    );
    for function in functions {
        let _ = write!(
            text,
            "\n{:<width$}  {:<9}  {:>9}  {:>9}",
            function.name, function.state, function.running, function.warm
        );
    }
}

fn roles(text: &mut String, roles: &[Role]) {
    let longest = roles.iter().map(|role| role.name.len()).max();
    let width = longest.unwrap_or(0).max("Role".len());
    let _ = write!(text, "\n{:<width$}  policies", "Role");
    for role in roles {
        let policies = match role.policies.is_empty() {
            true => "none".to_owned(),
            false => role.policies.join(", "),
        };
        let _ = write!(text, "\n{:<width$}  {policies}", role.name);
    }
}

fn log_groups(text: &mut String, groups: &[LogGroup]) {
    let longest = groups.iter().map(|group| group.name.len()).max();
    let width = longest.unwrap_or(0).max("Log group".len());
    let _ = write!(
        text,
        "\n{:<width$}  {:>9}  {:>9}",
        "Log group", "streams", "events"
    );
    for group in groups {
        let _ = write!(
            text,
            "\n{:<width$}  {:>9}  {:>9}",
            group.name, group.streams, group.events
        );
    }
}
