//! The commands that ask the running local cloud: `clock`, `fault`, `status`.

use crate::client::Client;
use crate::span::Span;
use crate::{Command, FaultCommand};
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
struct Status {
    seed: u64,
    clock: Clock,
    faults: Vec<Fault>,
    queues: Vec<Queue>,
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
        Command::Status => status(&cloud.get("/lab/status")?),
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

fn status(status: &Status) -> String {
    let mut text = format!(
        "Seed {}\n{}\n{}\n",
        status.seed,
        clock(&status.clock),
        faults(&status.faults)
    );
    if status.queues.is_empty() {
        text += "No queues yet.";
        return text;
    }
    let longest = status.queues.iter().map(|queue| queue.name.len()).max();
    let width = longest.unwrap_or(0).max("Queue".len());
    let _ = write!(
        text,
        "{:<width$}  {:>9}  {:>9}  {:>9}",
        "Queue", "visible", "in flight", "delayed"
    );
    for queue in &status.queues {
        let _ = write!(
            text,
            "\n{:<width$}  {:>9}  {:>9}  {:>9}",
            queue.name, queue.visible, queue.in_flight, queue.delayed
        );
    }
    text
}
