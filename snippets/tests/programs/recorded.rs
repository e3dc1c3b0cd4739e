//! Runs the programs of the pages while it listens to the local cloud, and compares what happened with the recorded runs
//! under `book/figures/runs/`, which the figures of the pages play. Record them anew after a change with
//!
//!     RUNS=overwrite cargo test --test programs recorded
//!
//! The story of each message, shard, consumer, function and so on is compared, step by step. Left out is what
//! depends on the moment: times, how often something was asked for in vain, and what happened first in two places.

use crate::session::{self, redact, SEED};
use localcloud::testing::{Feed, Running};
use localcloud::{LocalCloud, Options};
use regex::Regex;
use serde_json::{json, Map, Value};
use snapbox::report::{write_diff, Palette};
use snapbox::Data;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{mpsc, Arc, LazyLock};
use std::time::Duration;
use std::{env, fs, thread};

/// So large a file a page can load without a thought, in bytes.
const MAX_SIZE: usize = 40_000;
const MAX_WAIT: Duration = Duration::from_secs(120);

#[test]
fn figures_play_what_the_programs_do() {
    let runs: [fn() -> Recording; 16] = [
        receive,
        || experiment("visibility"),
        || experiment("dead-letters"),
        || experiment("groups"),
        || experiment("deduplication"),
        || experiment("both").every(2),
        put,
        get,
        || experiment("hot-keys").every(10),
        || experiment("reshard").every(3),
        checkpoints,
        || experiment("fan-out"),
        sqs_function,
        || experiment("half-a-batch"),
        kinesis_function,
        || experiment("blocked-shard"),
    ];
    let differences: Vec<String> = thread::scope(|scope| {
        let runs = runs.map(|run| scope.spawn(move || run().difference()));
        runs.into_iter()
            .filter_map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    assert!(
        differences.is_empty(),
        "{}\nTo take this over into the book: RUNS=overwrite cargo test --test programs recorded",
        differences.join("\n")
    );
    let folder = fs::read_dir(folder()).expect("the folder of the runs");
    assert_eq!(folder.count(), runs.len(), "a run that nothing makes");
}

/// Two receivers, of which one is killed with ten messages in its hands.
fn receive() -> Recording {
    let mut stage = Stage::set("receive", &["cargo run --bin create"]);
    stage.run("cargo run --bin send -- --count 12");
    let deaf = deaf(stage.cloud.address());
    let mut first = stage.start_at("cargo run --bin receive", &deaf);
    stage.until(10, |event| event["kind"] == "received");
    first.kill();
    first.end();
    stage.commands.push("kill -9 # the receiver".to_owned());
    let second = stage.start("cargo run --bin receive -- --count 12");
    stage.until(2, |event| event["kind"] == "deleted");
    stage.run("cargo run -- clock +30s");
    assert!(second.end().status.success());
    stage.end()
}

fn put() -> Recording {
    let mut stage = Stage::set("put", &["cargo run --bin create -- kinesis-stream"]);
    stage.run("cargo run --bin put -- --count 15");
    stage.end()
}

/// One reader from the start, and one of what comes from now on.
fn get() -> Recording {
    let before = ["cargo run --bin create -- kinesis-stream", "cargo run --bin put -- --count 5"];
    let mut stage = Stage::set("get", &before);
    stage.run("cargo run --bin get -- --from start --count 5");
    let latest = stage.start("cargo run --bin get -- --count 5");
    stage.until(1, |event| event["kind"] == "got");
    stage.run("cargo run --bin put -- --count 5");
    assert!(latest.end().status.success());
    stage.end()
}

fn checkpoints() -> Recording {
    let before = ["cargo run --bin create -- kinesis-stream", "cargo run --bin put -- --count 15"];
    let mut stage = Stage::set("checkpoints", &before);
    stage.run("cargo run --bin checkpoints -- --count 12");
    stage.run("cargo run --bin checkpoints -- --count 5");
    stage.end()
}

fn sqs_function() -> Recording {
    let before = ["cargo run --bin create", "cargo run --bin create -- sqs-function"];
    let mut stage = Stage::set("sqs-function", &before);
    for step in ["deploy", "invoke", "allow", "trigger"] {
        stage.run(&format!("cargo run --bin {step} -- sqs-function"));
    }
    let sender = stage.start("cargo run --bin send -- --count 5");
    stage.until(5, |event| event["kind"] == "deleted");
    assert!(sender.end().status.success());
    stage.end()
}

fn kinesis_function() -> Recording {
    let before =
        ["cargo run --bin create -- kinesis-stream", "cargo run --bin create -- kinesis-function"];
    let mut stage = Stage::set("kinesis-function", &before);
    for step in ["deploy", "invoke", "allow", "trigger"] {
        stage.run(&format!("cargo run --bin {step} -- kinesis-function"));
    }
    let sender = stage.start("cargo run --bin put -- --count 5");
    let is_last = |event: &Value| {
        let line = event["line"].as_str().unwrap_or_default();
        line.contains("\"Msg\":\"5\"")
    };
    stage.until(1, is_last);
    stage.until(1, |event| event["kind"] == "ended");
    assert!(sender.end().status.success());
    stage.end()
}

/// A program that brings all that it needs.
fn experiment(name: &'static str) -> Recording {
    let mut stage = Stage::set(name, &[]);
    stage.run(&format!("cargo run --bin {name}"));
    stage.end()
}

/// A local cloud and what has happened in it since the stage was set.
struct Stage {
    name: &'static str,
    cloud: LocalCloud,
    folder: PathBuf,
    feed: mpsc::Receiver<(String, Value)>,
    commands: Vec<String>,
    events: Vec<Value>,
    /// The id of the last event.
    last: String,
}

impl Stage {
    /// Runs some commands, and listens from then on.
    fn set(name: &'static str, before: &[&str]) -> Self {
        let cloud = LocalCloud::start(Options { seed: SEED, ..Options::default() })
            .expect("the local cloud starts");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recorded-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for what the programs write");
        for command in before {
            let ended =
                session::start(&cloud, &mut session::command(&cloud, command, &folder)).end();
            assert!(ended.status.success(), "`{command}`: {:?}", ended.printed);
        }
        let (mut feed, state) = Feed::listen(cloud.address());
        let last = feed.last.clone();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            while let Some(event) = feed.try_next() {
                let _ = sender.send((feed.last.clone(), event));
            }
        });
        Self {
            name,
            cloud,
            folder,
            feed: receiver,
            commands: Vec::new(),
            events: vec![state],
            last,
        }
    }

    fn run(&mut self, command: &str) {
        let ended = self.start(command).end();
        assert!(ended.status.success(), "`{command}`: {:?}", ended.printed);
        self.catch_up();
    }

    fn start(&mut self, command: &str) -> Running {
        self.commands.push(command.to_owned());
        session::start(&self.cloud, &mut session::command(&self.cloud, command, &self.folder))
    }

    fn start_at(&mut self, command: &str, endpoint: &str) -> Running {
        self.commands.push(command.to_owned());
        let mut command = session::command(&self.cloud, command, &self.folder);
        session::start(&self.cloud, command.env("AWS_ENDPOINT_URL", endpoint))
    }

    /// Listens until so many more of such events have come.
    fn until(&mut self, mut several: usize, is_one: impl Fn(&Value) -> bool) {
        while several > 0 {
            several -= usize::from(is_one(self.next()));
        }
    }

    fn next(&mut self) -> &Value {
        let next = self.feed.recv_timeout(MAX_WAIT);
        let (id, event) = next.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert_ne!(event["kind"], "state", "{}: too slow a listener", self.name);
        self.last = id;
        self.events.push(event);
        &self.events[self.events.len() - 1]
    }

    /// Listens to all that has happened.
    fn catch_up(&mut self) {
        let (newcomer, _) = Feed::listen(self.cloud.address());
        while self.last != newcomer.last {
            self.next();
        }
    }

    /// The run up to now.
    fn end(mut self) -> Recording {
        self.catch_up();
        Recording {
            name: self.name,
            commands: self.commands,
            events: Names::default().normal(self.events),
            every: 1,
        }
    }
}

/// The address of a way to the local cloud on which no answer to a `ReceiveMessage` comes back: whoever asks is given
/// messages and has not deleted any when it is killed.
fn deaf(cloud: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(cloud).expect("the local cloud listens");
            let asked = Arc::new(AtomicBool::new(false));
            let both = (client.try_clone(), server.try_clone());
            let (Ok(from_client), Ok(to_server)) = both else {
                continue;
            };
            let seen = asked.clone();
            let notice = move |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                seen.fetch_or(text.contains("ReceiveMessage"), Relaxed);
                true
            };
            thread::spawn(move || pass_on(from_client, to_server, notice));
            thread::spawn(move || pass_on(server, client, move |_| !asked.load(Relaxed)));
        }
    });
    format!("http://{address}")
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut wanted: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if wanted(&bytes[..count]) && to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// The recorded run that a figure plays.
struct Recording {
    name: &'static str,
    commands: Vec<String>,
    events: Vec<Value>,
    /// Of the messages of a queue, and of the records and refusals of a stream, only one in so many is shown.
    every: usize,
}

impl Recording {
    /// Leaves most of a long run out.
    fn every(mut self, every: usize) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut keeps = |event: &Value| {
            let text = |name: &str| event[name].as_str().unwrap_or_default();
            match text("kind") {
                "clock" => counts.clear(),
                "put" | "throttled" => {
                    let count = counts.entry(text("kind").to_owned()).or_default();
                    *count += 1;
                    return *count % every == 1;
                }
                _ => {}
            }
            let number = text("message").trim_start_matches('m').parse::<usize>();
            number.map_or(true, |number| number % every == 1)
        };
        self.events.retain(|event| keeps(event));
        self.every = every;
        self
    }

    /// How the story differs from that of the file. None when it doesn't, or when the file is rewritten.
    fn difference(&self) -> Option<String> {
        let file = folder().join(self.name).with_extension("json");
        let shown = fs::read_to_string(&file).unwrap_or_default();
        let known: Value = serde_json::from_str(&shown).unwrap_or_default();
        let events = known["events"].as_array().map_or(&[][..], Vec::as_slice);
        let told = |commands: Value, events: &[Value]| format!("{commands}\n{}", story(events));
        let expected = told(known["commands"].clone(), events);
        let actual = told(json!(self.commands), &self.events);
        if expected == actual {
            assert!(shown.len() < MAX_SIZE, "{}: {}", self.name, shown.len());
            return None;
        }
        if env::var("RUNS").is_ok_and(|what| what == "overwrite") {
            fs::write(&file, self.text()).expect("a recorded run can be written");
            return None;
        }
        let mut report = String::new();
        write_diff(
            &mut report,
            &Data::text(expected),
            &Data::text(actual),
            Some(&format!("book/figures/runs/{}.json", self.name)),
            Some(&"this run"),
            Palette::plain(),
        )
        .expect("a difference can be written");
        Some(report)
    }

    /// One line an event.
    fn text(&self) -> String {
        let events: Vec<String> = self.events.iter().map(line).collect();
        let every = match self.every {
            1 => String::new(),
            every => format!("\"every\":{every},\n"),
        };
        format!(
            "{{\"commands\":{},\n{every}\"events\":[\n{}\n]}}\n",
            json!(self.commands),
            events.join(",\n")
        )
    }
}

/// The event in JSON, its kind and its time first.
fn line(event: &Value) -> String {
    let mut rest = event.as_object().expect("an object").clone();
    let (kind, at) = (rest.remove("kind"), rest.remove("at"));
    let begin = format!("{{\"kind\":{},\"at\":{}", json!(kind), json!(at));
    match rest.is_empty() {
        true => begin + "}",
        false => format!("{begin},{}", &json!(rest).to_string()[1..]),
    }
}

/// The names in the recorded runs, which are the same in each run.
#[derive(Default)]
struct Names {
    start: i64,
    /// The new name of each old one.
    names: BTreeMap<String, String>,
    /// How many there are of each sort.
    counts: BTreeMap<String, usize>,
}

impl Names {
    fn normal(mut self, events: Vec<Value>) -> Vec<Value> {
        self.start = events[0]["at"].as_i64().expect("a time");
        events.into_iter().map(|event| self.value("", event)).collect()
    }

    fn value(&mut self, field: &str, value: Value) -> Value {
        match (field, value) {
            ("at" | "until", Value::Number(time)) => json!(time.as_i64().unwrap_or(0) - self.start),
            ("message", Value::String(id)) => {
                let (id, copy) = id.split_once('#').map_or((&*id, None), |(id, n)| (id, Some(n)));
                let name = self.name(id, "m", "");
                copy.map_or(name.clone(), |n| format!("{name}#{n}")).into()
            }
            ("sequence" | "last", Value::String(number)) => {
                self.name(&number, "", "sequence").into()
            }
            ("mapping", Value::String(uuid)) => self.name(&uuid, "u", "").into(),
            ("request", Value::String(uuid)) => self.name(&uuid, "r", "").into(),
            ("reader", Value::String(reader)) => match reader.rsplit_once('-') {
                Some((program, process)) if process.parse::<u32>().is_ok() => {
                    self.name(&reader, &format!("{program}-"), "").into()
                }
                _ => without_letters(&reader).into(),
            },
            ("body" | "data" | "key", text) => text,
            (_, Value::String(text)) => without_letters(&text).into(),
            (_, Value::Array(list)) => {
                let list = list.into_iter().map(|value| self.value(field, value));
                list.collect()
            }
            (_, Value::Object(fields)) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(name, value)| {
                    let value = self.value(&name, value);
                    (name, value)
                });
                Value::Object(Map::from_iter(fields))
            }
            (_, other) => other,
        }
    }

    /// `m1` for the first message, and so on.
    fn name(&mut self, old: &str, begin: &str, sort: &str) -> String {
        if let Some(name) = self.names.get(old) {
            return name.clone();
        }
        let count = self.counts.entry(format!("{begin}{sort}")).or_default();
        *count += 1;
        let name = format!("{begin}{count}");
        self.names.insert(old.to_owned(), name.clone());
        name
    }
}

/// `experiment-order` for `experiment-order-KXWQBA`, wherever it stands.
fn without_letters(text: &str) -> String {
    static LETTERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(experiment-[a-z-]+)-[A-Z]{6}\b").expect("a pattern"));
    LETTERS.replace_all(text, "$1").into_owned()
}

/// The story of each thing, step by step.
#[derive(Default)]
struct Story {
    steps: BTreeMap<String, Vec<String>>,
    /// Facts that may come in any order, and any number of times.
    facts: BTreeSet<String>,
    /// How many records each reader has got.
    read: BTreeMap<String, u64>,
    /// Whether shards were split or merged: then it depends on the moment which of them takes a record.
    is_resharded: bool,
}

fn story(events: &[Value]) -> String {
    let mut story = Story {
        is_resharded: events.iter().any(|event| event["kind"] == "resharded"),
        ..Story::default()
    };
    for event in events {
        story.take(event);
    }
    let mut text = String::new();
    for (whose, steps) in story.steps {
        text += &format!("{whose}\n  {}\n", steps.join("\n  "));
    }
    for (reader, records) in story.read {
        text += &format!("{reader}: {records} records\n");
    }
    for fact in story.facts {
        text += &format!("{fact}\n");
    }
    text
}

impl Story {
    fn take(&mut self, event: &Value) {
        let text = |name: &str| redact(event[name].as_str().unwrap_or_default());
        let kind = text("kind");
        let queue = || format!("queue {}", text("queue"));
        let message = || format!("message {} of {}", text("message"), text("queue"));
        let shard = || match self.is_resharded {
            true => text("stream"),
            false => format!("{} of {}", text("shard"), text("stream")),
        };
        let optional = |name: &str, of: &str| match event[name].as_str() {
            Some(value) => format!(" {of} {value}"),
            None => String::new(),
        };
        match &*kind {
            "state" => {
                let of = |things: &str, name: &str| {
                    let things = event[things].as_array().into_iter().flatten();
                    let names = things.filter_map(|thing| thing[name].as_str());
                    names.collect::<Vec<_>>().join(", ")
                };
                let all = [
                    of("queues", "queue"),
                    of("streams", "stream"),
                    of("functions", "function"),
                    of("mappings", "mapping"),
                ];
                self.step("begin", all.join("; "));
            }
            "queue-created" | "queue-changed" | "queue-deleted" | "purged" => {
                self.step(queue(), kind);
            }
            "sent" => {
                let more = [optional("group", "to"), optional("from", "from")].concat();
                self.step(message(), format!("sent{more}: {}", text("body")));
            }
            "received" => {
                let step = format!("received by {}, {}", text("reader"), event["receives"]);
                self.step(message(), step);
            }
            "dead" => self.step(message(), format!("dead, to {}", text("to"))),
            "hidden" => {
                let is_over = event["until"].as_i64() <= event["at"].as_i64();
                self.step(message(), if is_over { "handed back" } else { "kept longer" });
            }
            "deduplicated" | "arrived" | "returned" | "deleted" | "expired" => {
                self.step(message(), kind);
            }
            "stream-created" | "resharded" => {
                let shards = event["shards"].as_array().into_iter().flatten();
                let shards = shards.map(|shard| {
                    let state = if shard["open"] == true { "open" } else { "closed" };
                    format!("{} {state} {}", shard["shard"], shard["parents"])
                });
                let shards: Vec<_> = shards.collect();
                self.step(
                    format!("stream {}", text("stream")),
                    format!("{kind}: {}", shards.join(", ")),
                );
            }
            "stream-deleted" => self.step(format!("stream {}", text("stream")), kind),
            "put" => {
                let shard = match self.is_resharded {
                    true => format!("the records of {}", text("key")),
                    false => shard(),
                };
                self.step(shard, format!("put {}: {}", text("key"), text("data")));
            }
            "got" => {
                let reader = format!("{} reads {}", text("reader"), shard());
                *self.read.entry(reader).or_default() += event["records"].as_u64().unwrap_or(0);
            }
            "throttled" if text("operation").starts_with("Put") => {
                let fact = format!("{} refuses {}", shard(), text("operation"));
                self.facts.insert(fact);
            }
            "consumer" => self.step(format!("consumer {}", text("consumer")), text("state")),
            "pushed" => {
                let step = format!("has {} up to {}", shard(), text("last"));
                self.step(format!("consumer {}", text("consumer")), step);
            }
            "function-created" | "function-deleted" => {
                self.step(format!("function {}", text("function")), kind);
            }
            "ended" => {
                let step = format!("ran{}", optional("error", "with the error"));
                self.step(format!("function {}", text("function")), step);
            }
            "mapping" => {
                let whose = format!(
                    "mapping {} of {} to {}",
                    text("mapping"),
                    text("source"),
                    text("function")
                );
                self.step(whose, text("state"));
            }
            "log" => {
                let line = text("line");
                let is_lambdas =
                    ["START ", "END ", "REPORT "].iter().any(|begin| line.starts_with(begin));
                if !is_lambdas {
                    self.facts.insert(format!("log {}: {line}", text("group")));
                }
            }
            "fault" => self.step(format!("fault {}", text("fault")), text("target")),
            "refused" => {
                self.facts.insert(format!("{} refuses {}", queue(), text("operation")));
            }
            // How many there are of these, and when, depends on the moment.
            "empty" | "clock" | "invoked" | "polled" | "cooled" | "throttled" => {}
            kind => panic!("{kind} is no kind of event"),
        }
    }

    /// The next step; how often it is taken before another one doesn't count.
    fn step(&mut self, whose: impl Into<String>, step: impl Into<String>) {
        let steps = self.steps.entry(whose.into()).or_default();
        let step = step.into();
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/figures/runs")
}
