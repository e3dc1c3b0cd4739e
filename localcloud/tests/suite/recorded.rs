//! Holds the local cloud to AWS's recorded answers: the tables under `localcloud/tests/recorded/`.

mod case;
mod compare;
mod wire;

use crate::support;
use crate::support::functions::{create_role, function, lambda};
use case::{Call, Case, Step};
use compare::{broken, check, fill, Kept};
use localcloud::LocalCloud;
use serde_json::{json, Value};
use std::any::Any;
use std::fmt::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use wire::{Answer, Protocol};

/// How long an answer may take to become the expected one.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the patience of the clock, which goes on only while nobody asks.
const LOOK_AGAIN: Duration = Duration::from_millis(120);
/// So many cases at once.
const WORKERS: usize = 4;

macro_rules! tables {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../recorded/", $name, ".md")))),*]
    };
}

/// The tables, by their service.
const TABLES: [(&str, &str); 7] = tables!(
    "sqs",
    "kinesis",
    "lambda",
    "iam",
    "sts",
    "logs",
    "cloudformation"
);

fn cases(service: &str) -> Vec<Case> {
    let (_, table) = TABLES
        .into_iter()
        .find(|(name, _)| *name == service)
        .expect("a table");
    case::parse(service, table)
}

#[test]
fn sqs_answers_as_recorded() {
    crate::support::unless_green("sqs_answers_as_recorded", || {
        answers_as_recorded("sqs", Protocol::Json)
    });
}

#[test]
fn sqs_answers_as_recorded_in_its_query_protocol() {
    crate::support::unless_green("sqs_answers_as_recorded_in_its_query_protocol", || {
        answers_as_recorded("sqs", Protocol::Query)
    });
}

#[test]
fn kinesis_answers_as_recorded() {
    crate::support::unless_green("kinesis_answers_as_recorded", || {
        answers_as_recorded("kinesis", Protocol::Json)
    });
}

#[test]
fn lambda_answers_as_recorded() {
    crate::support::unless_green("lambda_answers_as_recorded", || {
        answers_as_recorded("lambda", Protocol::Json)
    });
}

#[test]
fn iam_answers_as_recorded() {
    crate::support::unless_green("iam_answers_as_recorded", || {
        answers_as_recorded("iam", Protocol::Json)
    });
}

#[test]
fn sts_answers_as_recorded() {
    crate::support::unless_green("sts_answers_as_recorded", || {
        answers_as_recorded("sts", Protocol::Json)
    });
}

#[test]
fn logs_answers_as_recorded() {
    crate::support::unless_green("logs_answers_as_recorded", || {
        answers_as_recorded("logs", Protocol::Json)
    });
}

#[test]
fn cloudformation_answers_as_recorded() {
    crate::support::unless_green("cloudformation_answers_as_recorded", || {
        answers_as_recorded("cloudformation", Protocol::Json)
    });
}

#[test]
fn each_case_has_a_name_of_its_own() {
    for (service, _) in TABLES {
        let mut ids: Vec<_> = cases(service).into_iter().map(|case| case.id).collect();
        ids.sort();
        for pair in ids.windows(2) {
            assert_ne!(pair[0], pair[1], "{service}");
        }
    }
}

#[test]
fn the_appendix_counts_the_cases() {
    let page = include_str!("../../../book/differences.md");
    for (service, _) in TABLES {
        let row = format!(
            "| `localcloud/tests/recorded/{service}.md` | {} |",
            cases(service).len()
        );
        assert!(page.contains(&row), "book/differences.md lacks {row}");
    }
}

/// Runs every case of a table and tells of all that differ.
fn answers_as_recorded(service: &str, protocol: Protocol) {
    let only = std::env::var("RECORDED_CASE").ok();
    let mut cases = cases(service);
    cases.retain(|case| case.only.is_none_or(|only| only == protocol));
    cases.retain(|case| only.as_ref().is_none_or(|only| case.id.contains(only)));
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(case, protocol)));
            let report = match outcome {
                Ok(Ok(())) => continue,
                Ok(Err(report)) => report,
                Err(panic) => format!(
                    "{service}, case {}: broke off: {}\n",
                    case.id,
                    told(panic.as_ref())
                ),
            };
            wrong.lock().expect("no panic").push(report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let mut wrong = wrong.into_inner().expect("no panic");
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ from AWS:\n\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// One case, on a cloud of its own.
fn run(case: &Case, protocol: Protocol) -> Result<(), String> {
    let cloud = if case.moves_the_clock() {
        support::start_stopped()
    } else {
        support::start()
    };
    let mut kept = Kept::new();
    for step in &case.steps {
        let call = match step {
            Step::Clock(by) => {
                cloud.clock().advance(*by);
                continue;
            }
            Step::Given { kind, name, with } => {
                provide(&cloud, case, kind, name, fill(with, &kept));
                continue;
            }
            Step::Call(call) => call,
        };
        let since = Instant::now();
        loop {
            let before = kept.clone();
            let input = fill(&call.input, &kept);
            let answer = wire::call(&cloud, protocol, &call.service, &call.operation, &input);
            let Some(expected) = &call.expected else {
                if answer.outcome.is_err() {
                    return Err(report(case, call, &answer, "an error"));
                }
                break;
            };
            match check(expected, &answer, &mut kept) {
                Ok(()) => {
                    // An expectation that can't fail is none.
                    for broken in broken(expected) {
                        if check(&broken, &answer, &mut before.clone()).is_ok() {
                            return Err(format!(
                                "{}.{}, case {}: fits as well: {broken:?}\n",
                                call.service, call.operation, case.id
                            ));
                        }
                    }
                    break;
                }
                Err(_) if call.again && since.elapsed() < PATIENCE => {
                    kept = before;
                    wait(&cloud, case);
                }
                Err(difference) => return Err(report(case, call, &answer, &difference)),
            }
        }
    }
    Ok(())
}

/// Between two tries; a clock that only the case moves goes on by a second.
fn wait(cloud: &LocalCloud, case: &Case) {
    thread::sleep(LOOK_AGAIN);
    if case.moves_the_clock() {
        cloud.clock().advance(Duration::from_secs(1));
    }
}

/// Makes what a case begins with: a stream with so many shards; a function whose role may do all that a mapping needs.
fn provide(cloud: &LocalCloud, case: &Case, kind: &str, name: &str, with: Value) {
    match kind {
        "stream" => {
            let shards = with.as_u64().expect("a number of shards");
            support::create_stream(cloud, name, shards as u32);
        }
        "function" => {
            let policies = [
                "AWSLambdaBasicExecutionRole",
                "AWSLambdaSQSQueueExecutionRole",
                "AWSLambdaKinesisExecutionRole",
            ];
            create_role(cloud, "function", &policies);
            let send = json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}],
            });
            let policy = [
                ("RoleName", "function"),
                ("PolicyName", "send"),
                ("PolicyDocument", &send.to_string()),
            ];
            support::iam_raw(cloud, "PutRolePolicy", &policy);
            let input = function(name, with);
            let created = lambda(cloud, "POST", "/2015-03-31/functions", &input);
            assert_eq!(created.status, 201, "{created:?}");
            let (since, path) = (Instant::now(), format!("/2015-03-31/functions/{name}"));
            while lambda(cloud, "GET", &path, &Value::Null).json()["Configuration"]["State"]
                != "Active"
            {
                assert!(since.elapsed() < PATIENCE, "{name} doesn't become active");
                wait(cloud, case);
            }
        }
        other => panic!("nothing is known of a {other}"),
    }
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

fn report(case: &Case, call: &Call, answer: &Answer, difference: &str) -> String {
    let mut out = String::new();
    let ours = match &answer.outcome {
        Ok(output) => format!("= {} {output}", answer.status),
        Err((code, message)) => format!("! {} {code} {message:?}", answer.status),
    };
    let Call {
        service, operation, ..
    } = call;
    let _ = writeln!(
        out,
        "{service}.{operation}, case {}: {}",
        case.id, case.says
    );
    let _ = writeln!(out, "  AWS answers {}", shortened(&call.written));
    let _ = writeln!(out, "  {}", case.source);
    let _ = writeln!(out, "  we answer   {}", shortened(&ours));
    let _ = writeln!(out, "  difference: {}", shortened(difference));
    out
}

fn shortened(text: &str) -> String {
    const MAX_SHOWN: usize = 900;
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
