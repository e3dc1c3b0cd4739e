//! Functions: created, changed and deleted as AWS does it, and run as real processes over the Runtime API: kept warm,
//! killed when they take too long, reported when they crash, gone with the local cloud.

mod functions;
mod invocations;
mod log;
mod processes;

use crate::support::functions::*;
use crate::support::*;
use localcloud::LocalCloud;
use serde_json::{json, Map, Value};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// A call that fails, and how: the status, the error's type and the message.
fn refusal(cloud: &LocalCloud, method: &str, path: &str, input: &Value) -> (u16, String, String) {
    let answer = lambda(cloud, method, path, input);
    assert!(answer.status >= 400, "{method} {path}: {answer:?}");
    let kind = answer.header("x-amzn-errortype").unwrap_or_default();
    let message = answer.json()["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, kind.to_owned(), message)
}

fn lines(log: &str) -> Vec<&str> {
    log.lines().collect()
}

/// No wait of a test takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// So long, by the clock, a function takes to be created or changed.
const CHANGE: Duration = Duration::from_millis(300);

fn is_alive(pid: u64) -> bool {
    // A zombie has nothing in its memory any more.
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| status.contains("VmRSS"))
}

fn assert_ends(pid: u64) {
    let since = Instant::now();
    while is_alive(pid) {
        assert!(since.elapsed() < LIMIT, "{pid} lives on");
        thread::sleep(Duration::from_millis(10));
    }
}

fn pid(answer: &Value) -> u64 {
    answer["pid"].as_u64().expect("a process id")
}

/// How many processes of the first function run, and how many are warm.
fn processes(cloud: &LocalCloud) -> Value {
    let status = exchange(cloud, &request("GET", "/lab/status", &[], b"")).expect("an answer");
    let function = &status.json()["functions"][0];
    json!({"running": function["running"], "warm": function["warm"]})
}

/// A folder for a test's files. It ends with this value.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("localcloud-test-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, file: &str) -> String {
        let path = self.0.join(file);
        path.to_str().expect("a path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
