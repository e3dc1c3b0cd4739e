//! One process's lines in CloudWatch Logs: its own, and Lambda's about each invocation.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>, and for the format JSON
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>.

use super::config::Config;
use super::names::VERSION;
use crate::clock::Clock;
use crate::iam::Iam;
use crate::lock::lock;
use crate::logs::{group_arn, Logs};
use crate::wire::query::timestamp;
use serde_json::{json, Map, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How much of an invocation's lines its caller can have, in bytes.
const TAIL: usize = 4 * 1024;

/// The log stream of one process.
pub struct FunctionLog {
    clock: Clock,
    iam: Iam,
    logs: Logs,
    config: Arc<Config>,
    stream: String,
    permitted: AtomicBool,
    /// The last lines of the invocation that runs.
    tail: Mutex<String>,
}

/// How an invocation ended, for its report.
pub struct Report<'a> {
    pub request_id: &'a str,
    pub duration: Duration,
    /// How long the process took to start, if it was started for this invocation.
    pub init: Option<Duration>,
    pub memory: Option<u64>,
    pub end: End,
}

#[derive(Clone, Copy)]
pub enum End {
    Success,
    /// The function reported an error and is ready for more.
    Failure,
    Timeout,
    /// The process is gone; the type of the error.
    Gone(&'static str),
}

impl End {
    fn status(self) -> &'static str {
        match self {
            End::Success => "success",
            End::Failure => "failure",
            End::Timeout => "timeout",
            End::Gone(_) => "error",
        }
    }
}

impl FunctionLog {
    /// The stream is named as AWS does: the date, the version and 32 hexadecimal digits.
    pub fn new(clock: Clock, iam: Iam, logs: Logs, config: Arc<Config>, unique: &str) -> Self {
        let date = timestamp(clock.now())[..10].replace('-', "/");
        let log = Self {
            stream: format!("{date}/[{VERSION}]{unique}"),
            clock,
            iam,
            logs,
            config,
            permitted: AtomicBool::new(false),
            tail: Mutex::default(),
        };
        log.ask_permission();
        log
    }

    pub fn stream(&self) -> &str {
        &self.stream
    }

    pub fn now(&self) -> String {
        timestamp(self.clock.now())
    }

    /// One line of the process, as it wrote it.
    pub fn line(&self, line: &str) {
        let mut tail = self.tail();
        tail.push_str(line);
        tail.push('\n');
        if tail.len() > 2 * TAIL {
            *tail = last(&tail).to_owned();
        }
        // Under the lock, so that the lines come in one order.
        if self.permitted.load(Ordering::Relaxed) {
            let event = (self.clock.now(), line.to_owned());
            self.logs
                .write(&self.config.log_group, &self.stream, [event]);
        }
    }

    pub fn start(&self, request_id: &str) {
        self.ask_permission();
        self.tail().clear();
        match self.config.json_logs {
            true => self.event(
                "platform.start",
                json!({"requestId": request_id, "version": VERSION}),
            ),
            false => self.line(&format!("START RequestId: {request_id} Version: {VERSION}")),
        }
    }

    /// A start of the process that failed.
    pub fn init_report(&self, duration: Duration, end: End) {
        let took = millis(duration);
        match (self.config.json_logs, end) {
            (true, _) => {
                let mut record = record(end);
                record.insert("initializationType".into(), json!("on-demand"));
                record.insert("phase".into(), json!("init"));
                record.insert("metrics".into(), json!({"durationMs": took}));
                self.event("platform.initReport", record.into());
            }
            (false, End::Gone(kind)) => self.line(&format!(
                "INIT_REPORT Init Duration: {took:.2} ms\tPhase: init\tStatus: error\tError Type: {kind}"
            )),
            (false, end) => self.line(&format!(
                "INIT_REPORT Init Duration: {took:.2} ms\tPhase: init\tStatus: {}",
                end.status()
            )),
        }
    }

    /// The end of an invocation. Returns the last lines since its start, these included.
    pub fn report(&self, report: &Report) -> String {
        let Report {
            request_id, end, ..
        } = report;
        let init = report.init.unwrap_or_default();
        let billed = millis(report.duration + init).ceil() as u64;
        let size = self.config.memory;
        let used = report.memory.map(|bytes| bytes.div_ceil(1024 * 1024));
        if self.config.json_logs {
            let mut metrics = json!({
                "durationMs": millis(report.duration),
                "billedDurationMs": billed,
                "memorySizeMB": size,
            });
            if let Some(used) = used {
                metrics["maxMemoryUsedMB"] = json!(used);
            }
            if let Some(init) = report.init {
                metrics["initDurationMs"] = json!(millis(init));
            }
            let mut record = record(*end);
            record.insert("requestId".into(), json!(request_id));
            record.insert("metrics".into(), metrics);
            self.event("platform.report", record.into());
        } else {
            self.line(&format!("END RequestId: {request_id}"));
            let mut line = format!(
                "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {size} MB\t",
                millis(report.duration),
            );
            if let Some(used) = used {
                line += &format!("Max Memory Used: {used} MB\t");
            }
            if let Some(init) = report.init {
                line += &format!("Init Duration: {:.2} ms\t", millis(init));
            }
            match end {
                End::Success | End::Failure => {}
                End::Timeout => line += "Status: timeout",
                End::Gone(kind) => line += &format!("Status: error\tError Type: {kind}"),
            }
            self.line(&line);
        }
        last(&self.tail()).to_owned()
    }

    fn event(&self, kind: &str, record: Value) {
        let time = self.now();
        self.line(&format!(
            r#"{{"time":"{time}","type":"{kind}","record":{record}}}"#
        ));
    }

    /// A function whose role may not write logs runs all the same, and leaves none.
    fn ask_permission(&self) {
        let (role, group) = (&self.config.role, &self.config.log_group);
        let streams = format!("{}:log-stream:", group_arn(group));
        let may = |action, resource: &str| self.iam.allows(role, action, resource);
        let permitted = may("logs:PutLogEvents", &format!("{streams}{}", self.stream))
            && may("logs:CreateLogStream", &streams)
            && (self.logs.has_group(group) || may("logs:CreateLogGroup", &streams));
        self.permitted.store(permitted, Ordering::Relaxed);
    }

    fn tail(&self) -> MutexGuard<'_, String> {
        lock(&self.tail)
    }
}

fn record(end: End) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("status".into(), json!(end.status()));
    if let End::Gone(kind) = end {
        record.insert("errorType".into(), json!(kind));
    }
    record
}

/// The last 4 KB.
fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// To the hundredth.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}
