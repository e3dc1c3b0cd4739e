//! The desk as the reader runs it: a process with a book, a port of its own and ^C.

use axum::body::Bytes;
use axum::http::Request;
use localcloud::client;
use serde_json::{json, Value};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a desk may take for an answer: it renders the book before it gives a page.
const PATIENCE: Duration = Duration::from_secs(60);

/// A desk that runs until the end of its test.
struct Desk {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Printed when it was ready.
    greeting: String,
    /// `127.0.0.1:port`
    host: String,
    /// The desk's folder for temporary files.
    temporary: TempDir,
}

impl Desk {
    /// Starts a desk on a free port and returns when it says that it is ready.
    fn start(args: &[&str]) -> Self {
        Self::start_on("0", args)
    }

    fn start_on(port: &str, args: &[&str]) -> Self {
        Self::start_after(&[], port, args)
    }

    /// Starts a desk for a reader who has done these pages.
    fn start_after(done: &[&str], port: &str, args: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let progress = temporary.path().join("progress.txt");
        if !done.is_empty() {
            fs::write(&progress, done.join("\n")).expect("written");
        }
        let mut child = lab(&["--port", port])
            .args(args)
            .env("LAB_PROGRESS", progress)
            .env("TMPDIR", temporary.path())
            .env("TMP", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the desk starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        while !greeting.contains("^C stops it.") {
            let length = stdout.read_line(&mut greeting).expect("text");
            assert_ne!(length, 0, "the desk ended after {greeting:?}");
        }
        let (_, rest) = greeting.split_once("http://").expect("an address");
        let host = rest
            .split_whitespace()
            .next()
            .expect("an address")
            .to_owned();
        Self {
            child,
            stdout,
            greeting,
            host,
            temporary,
        }
    }

    /// Starts a desk with a book of one page.
    fn with_page(page: &str) -> (Self, TempDir) {
        let book = book(page);
        let desk = Self::start(&["--book", book.path().to_str().expect("a path")]);
        (desk, book)
    }

    fn port(&self) -> &str {
        self.host.rsplit(':').next().expect("a port")
    }

    /// The status line with the headers, and the body.
    fn get(&self, path: &str) -> (String, String) {
        self.exchange(&format!("GET {path} HTTP/1.1"), "")
    }

    /// Calls an operation of SQS as a program does.
    fn call(&self, operation: &str, input: &str) {
        self.call_service("AmazonSQS", operation, input);
    }

    fn call_service(&self, service: &str, operation: &str, input: &str) {
        let start = format!("POST / HTTP/1.1\r\nx-amz-target: {service}.{operation}");
        let (head, body) = self.exchange(&start, input);
        assert!(head.starts_with("HTTP/1.1 200"), "{operation}: {body}");
    }

    fn create_role(&self, name: &str) {
        let body = format!(
            "Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument=\
             %7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A\
             %22sts%3AAssumeRole%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%7D%7D"
        );
        let (head, answer) = self.exchange("POST / HTTP/1.1", &body);
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Sends a request, given as the lines of its head and its body, and returns the answer in the same way.
    fn exchange(&self, start: &str, body: &str) -> (String, String) {
        let mut lines = start.lines();
        let mut words = lines.next().expect("a request line").split(' ');
        let mut request = Request::builder()
            .method(words.next().expect("a method"))
            .uri(words.next().expect("a path"));
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes()));
        let answer = client::ask(&self.host, request.expect("a request"), PATIENCE);
        let (head, body) = answer.expect("an answer").into_parts();
        let mut shown = format!("{:?} {}", head.version, head.status);
        for (name, value) in &head.headers {
            shown += &format!("\r\n{name}: {}", value.to_str().expect("text"));
        }
        let body = String::from_utf8(body.to_vec()).expect("text");
        (shown, body)
    }

    /// Runs a command that asks this desk, and returns its output.
    fn ask(&self, args: &[&str]) -> String {
        let output = run(lab(args).args(["--port", self.port()]));
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Kills the desk and returns what it wrote to stderr.
    fn errors(mut self) -> String {
        self.child.kill().expect("killed");
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut errors).expect("text");
        errors
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(args).env_remove("AWS_ENDPOINT_URL");
    command
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it runs")
}

/// The exit code and stderr.
fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = run(command);
    let errors = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), errors)
}

/// A book of one page, with a file beside it.
fn book(page: &str) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| fs::write(root.path().join(path), text).expect("written");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book");
    // The folders that book.toml names.
    for folder in ["theme", "figures"] {
        let to = root.path().join("book").join(folder);
        fs::create_dir_all(&to).expect("a folder");
        for file in fs::read_dir(ours.join(folder)).expect("a folder") {
            let file = file.expect("a file").path();
            if let Some(name) = file.file_name().filter(|_| file.is_file()) {
                fs::copy(&file, to.join(name)).expect("copied");
            }
        }
    }
    write("book.toml", include_str!("../../book.toml"));
    write("book/SUMMARY.md", "# Summary\n\n- [First](first.md)\n");
    write("book/first.md", page);
    write("book/session.txt", "Grüße\n");
    root
}

/// Waits until `holds`, ten seconds at the most.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_browser_gets_the_book() {
    let (desk, _book) = Desk::with_page("# First\n\nThe page.\n");
    let greeting = &desk.greeting;
    // Before it, a machine that renders slowly says that it does.
    let greeting = greeting.trim_start_matches("Rendering the book …\n");
    assert!(
        greeting.starts_with("The local cloud and the book are ready at"),
        "{greeting}"
    );
    assert!(greeting.contains("(seed 1)"), "{greeting}");
    assert!(greeting.contains("cargo run --bin whoami"), "{greeting}");

    let (head, body) = desk.get("/");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(body.contains("<p>The page.</p>"));
    assert!(body.contains("Queues &amp; Streams"));

    let (head, body) = desk.get("/session.txt");
    assert!(
        head.contains("content-type: text/plain; charset=utf-8"),
        "{head}"
    );
    assert_eq!(body, "Grüße\n");

    let (head, body) = desk.get("/nowhere.html");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert!(body.contains("<html"));

    fs::write(desk.temporary.path().join("secret.txt"), "not a page").expect("written");
    for path in ["/../secret.txt", "/%2e%2e/secret.txt"] {
        let (head, body) = desk.get(path);
        assert!(head.starts_with("HTTP/1.1 404"), "{head}");
        assert!(!body.contains("not a page"), "{path}");
    }
}

#[test]
fn the_pages_load_nothing_from_elsewhere() {
    let (desk, _book) = Desk::with_page("# First\n\n```rust\nfn main() {}\n```\n");
    let (_, body) = desk.get("/");
    let mut addresses = 0;
    for element in body
        .split('<')
        .filter(|e| e.starts_with("script") || e.starts_with("link"))
    {
        for attribute in ["src=\"", "href=\""] {
            let Some((_, address)) = element.split_once(attribute) else {
                continue;
            };
            addresses += 1;
            assert!(
                !address.starts_with("http") && !address.starts_with("//"),
                "<{element}"
            );
        }
    }
    assert!(addresses > 5, "mdBook links its own scripts and styles");
}

#[test]
fn the_figures_learn_where_the_feed_is_and_lab_is_the_live_page() {
    let (desk, _book) = Desk::with_page("# First\n");
    let (head, body) = desk.get("/figures/desk.js");
    assert!(head.contains("content-type: text/javascript"), "{head}");
    assert_eq!(body, "window.lab = { origin: location.origin };\n");
    let (head, _) = desk.get("/lab");
    assert!(head.starts_with("HTTP/1.1 307"), "{head}");
    assert!(head.contains("location: /lab.html"), "{head}");
}

#[test]
fn an_edit_is_rendered_again() {
    let (desk, book) = Desk::with_page("# First\n\nBefore.\n");
    assert!(desk.get("/").1.contains("Before."));
    fs::write(book.path().join("book/first.md"), "# First\n\nAfter.\n").expect("written");
    eventually("the new page", || desk.get("/").1.contains("After."));
}

#[test]
fn the_local_cloud_is_healthy_and_seeded() {
    let desk = Desk::start(&["--no-book", "--seed", "7"]);
    let greeting = &desk.greeting;
    assert!(
        greeting.starts_with("The local cloud is ready at"),
        "{greeting}"
    );
    assert!(greeting.contains("(seed 7)"), "{greeting}");
    let (head, body) = desk.get("/lab/health");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let health: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(health["seed"], 7);
    assert!(desk.get("/").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn on_another_port_the_greeting_says_how_the_programs_find_it() {
    let desk = Desk::start(&["--no-book"]);
    let (_, next) = desk.greeting.split_once("Next:").expect("what to do next");
    assert!(next.contains("AWS_ENDPOINT_URL"), "{next}");
    assert!(next.contains(&format!("http://{}", desk.host)), "{next}");
}

#[test]
fn without_its_folder_the_desk_starts_without_the_book() {
    let desk = Desk::start(&["--book", "no-such-folder"]);
    assert!(desk.get("/lab/health").0.starts_with("HTTP/1.1 200"));
    let errors = desk.errors();
    assert!(
        errors.contains("No book.toml in no-such-folder"),
        "{errors}"
    );
}

#[test]
fn a_book_that_cannot_be_rendered_says_why() {
    let book = book("# First\n");
    let first = book.path().join("book/first.md");
    fs::remove_file(&first).expect("removed");
    let desk = Desk::start(&["--book", book.path().to_str().expect("a path")]);
    assert!(desk.get("/lab/health").0.starts_with("HTTP/1.1 200"));
    let (head, body) = desk.get("/");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(body.contains("first.md"), "{body}");

    fs::write(first, "# First\n\nMended.\n").expect("written");
    eventually("the mended page", || desk.get("/").1.contains("Mended."));
    let errors = desk.errors();
    assert!(
        errors.contains("The book could not be rendered"),
        "{errors}"
    );
}

#[test]
fn each_call_is_shown_on_request() {
    let desk = Desk::start(&["--no-book", "--log", "debug"]);
    desk.call("ListQueues", "{}");
    let form = "Action=GetRole&Version=2010-05-08&RoleName=nobody";
    let (head, _) = desk.exchange("POST / HTTP/1.1", form);
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let shown = desk.errors();
    let calls: Vec<_> = shown
        .lines()
        .map(|line| line.split(" ms=").next())
        .collect();
    assert_eq!(
        calls,
        [
            Some(r#"The local cloud: call service="sqs" operation="ListQueues" code="OK""#),
            Some(r#"The local cloud: call service="iam" operation="GetRole" code="NoSuchEntity""#),
        ]
    );
}

#[test]
fn what_mdbook_warns_of_is_shown() {
    let (desk, _book) = Desk::with_page("# First\n\n{{#include nowhere.rs}}\n");
    let errors = desk.errors();
    assert!(errors.contains("nowhere.rs"), "{errors}");
}

#[test]
fn the_clock_moves_forward() {
    let desk = Desk::start(&["--no-book"]);
    let moved = || {
        let clock: Value = serde_json::from_str(&desk.get("/lab/clock").1).expect("JSON");
        clock["moved_ms"].as_u64().expect("a number") / 1000
    };
    assert!(desk.ask(&["clock"]).contains("as this machine's does"));
    let mut total = 0;
    for (by, seconds) in [
        ("30s", 30),
        ("5m", 5 * 60),
        ("12h", 12 * 60 * 60),
        ("14d", 14 * 24 * 60 * 60),
        ("1h30m", 90 * 60),
    ] {
        let shown = desk.ask(&["clock", &format!("+{by}")]);
        assert!(shown.starts_with(&format!("Moved by {by}.\n")), "{shown}");
        total += seconds;
        assert_eq!(moved(), total, "{by}");
    }
    let shown = desk.ask(&["clock"]);
    assert!(
        shown.contains(" GMT, 14d13h35m30s ahead of this machine's"),
        "{shown}"
    );

    let (code, errors) = failure(&mut lab(&["clock", "+400d", "--port", desk.port()]));
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("366 days"), "{errors}");
    assert_eq!(moved(), total);
}

#[test]
fn faults_wait_until_they_are_cleared() {
    let desk = Desk::start(&["--no-book"]);
    assert!(desk.ask(&["fault", "list"]).contains("No faults wait"));
    desk.call("CreateQueue", r#"{"QueueName": "StandardQueue"}"#);
    desk.create_role("reader");
    let twice = ["--target", "StandardQueue", "--count", "2"];
    desk.ask(&[&["fault", "duplicate-delivery"], &twice[..]].concat());
    desk.ask(&["fault", "lost-response", "--target", "SendMessage"]);
    desk.ask(&[
        "fault",
        "policy-delay",
        "--target",
        "reader",
        "--count",
        "2",
    ]);
    let shown = desk.ask(&["fault", "throttle", "--count", "3"]);
    assert_eq!(shown, desk.ask(&["fault", "list"]));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        shown.lines().skip(1).map(words).collect::<Vec<_>>(),
        [
            "duplicate-delivery StandardQueue twice",
            "lost-response SendMessage once",
            "policy-delay reader twice",
            "throttle any 3 times",
        ]
    );
    let faults: Value = serde_json::from_str(&desk.get("/lab/faults").1).expect("JSON");
    assert_eq!(faults[0]["count"], 2);
    assert_eq!(faults[3]["target"], Value::Null);
    assert!(desk.ask(&["fault", "clear"]).contains("No faults wait"));
    assert_eq!(desk.get("/lab/faults").1, "[]");
}

#[test]
fn a_fault_for_what_is_not_there_is_refused_with_the_near_ones() {
    let desk = Desk::start(&["--no-book"]);
    let refused = |kind: &str, target: &str| {
        let command = ["fault", kind, "--target", target, "--port", desk.port()];
        let (code, errors) = failure(&mut lab(&command));
        assert_eq!(code, Some(1), "{errors}");
        errors
    };
    assert_eq!(
        refused("throttle", "SendMesage"),
        "Error: no operation SendMesage: did you mean SendMessage?\n"
    );
    assert_eq!(
        refused("lost-response", "sendmessage"),
        "Error: no operation sendmessage: did you mean SendMessage?\n"
    );
    let errors = refused("throttle", "Frobnicate");
    assert!(errors.contains("such as SendMessage"), "{errors}");
    assert_eq!(
        refused("duplicate-delivery", "StandardQueue"),
        "Error: no queue StandardQueue: there is none yet: make it first, or leave --target out\n"
    );
    desk.call("CreateQueue", r#"{"QueueName": "StandardQueue"}"#);
    assert_eq!(
        refused("duplicate-delivery", "standardqueue"),
        "Error: no queue standardqueue: did you mean StandardQueue?\n"
    );
    desk.create_role("alice-SQSFunction");
    let errors = refused("policy-delay", "salaries");
    assert!(
        errors.contains("no role salaries: there are alice-SQSFunction"),
        "{errors}"
    );
    assert_eq!(desk.get("/lab/faults").1, "[]");
}

#[test]
fn a_reset_empties_the_local_cloud() {
    let desk = Desk::start(&["--no-book"]);
    desk.call("CreateQueue", r#"{"QueueName": "StandardQueue"}"#);
    desk.ask(&["fault", "throttle", "--target", "SendMessage"]);
    let told = desk.ask(&["reset"]);
    assert!(told.starts_with("The local cloud is empty."), "{told}");
    let shown = desk.ask(&["status"]);
    assert!(shown.contains("No queues yet."), "{shown}");
    assert!(shown.contains("No faults wait"), "{shown}");
}

#[test]
fn who_reads_only_the_first_line_hears_no_complaint() {
    let desk = Desk::start(&["--no-book"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = lab(&["status", "--port", desk.port()])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(Child::wait_with_output)
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
}

#[test]
fn status_shows_everything_at_once() {
    let desk = Desk::start(&["--no-book", "--seed", "42"]);
    desk.ask(&["clock", "+1m"]);
    desk.ask(&["fault", "throttle", "--target", "SendMessage"]);
    let shown = desk.ask(&["status"]);
    for part in [
        "Seed 42",
        "1m ahead",
        "throttle",
        "SendMessage",
        "No queues yet.",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }

    desk.ask(&["fault", "clear"]);
    desk.call("CreateQueue", r#"{"QueueName": "StandardQueue"}"#);
    let queue = format!("http://{}/000000000000/StandardQueue", desk.host);
    for delay in [0, 0, 900] {
        let message = json!({"QueueUrl": queue, "MessageBody": "a message", "DelaySeconds": delay});
        desk.call("SendMessage", &message.to_string());
    }
    let shown = desk.ask(&["status"]);
    let last = shown.lines().last().expect("the queue");
    let counts: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(counts, ["StandardQueue", "2", "0", "1"], "{shown}");
    assert!(!shown.contains("Stream "), "{shown}");

    let stream = r#"{"StreamName": "KinesisStream", "ShardCount": 2}"#;
    desk.call_service("Kinesis_20131202", "CreateStream", stream);
    thread::sleep(Duration::from_secs(1));
    let shown = desk.ask(&["status"]);
    let last = shown.lines().last().expect("the stream");
    let columns: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(columns, ["KinesisStream", "2", "ACTIVE"], "{shown}");

    let trust = "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"}}";
    let version = "Version=2010-05-08&RoleName=reader";
    let policy = "PolicyArn=arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    for call in [
        format!("Action=CreateRole&{version}&AssumeRolePolicyDocument={trust}"),
        format!("Action=AttachRolePolicy&{version}&{policy}"),
    ] {
        let (head, body) = desk.exchange("POST / HTTP/1.1", &call);
        assert!(head.starts_with("HTTP/1.1 200"), "{call}: {body}");
    }
    desk.call_service(
        "Logs_20140328",
        "CreateLogGroup",
        r#"{"logGroupName": "g"}"#,
    );
    let shown = desk.ask(&["status"]);
    let lines: Vec<_> = shown.lines().rev().take(4).map(str::trim_end).collect();
    let words = lines
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        words.collect::<Vec<_>>(),
        [
            vec!["g", "0", "0"],
            vec!["Log", "group", "streams", "events"],
            vec!["reader", "AWSLambdaBasicExecutionRole"],
            vec!["Role", "policies"],
        ],
        "{shown}"
    );
}

#[test]
fn who_has_done_some_pages_goes_on_with_the_next() {
    let desk = Desk::start_after(&["05-visibility", "04-receive"], "0", &["--no-book"]);
    let greeting = &desk.greeting;
    assert!(greeting.contains("06-dead-letters"), "{greeting}");
    let shown = desk.ask(&["status"]);
    assert!(
        shown.starts_with("Done: 05-visibility, 04-receive\nNext: 06-dead-letters\n"),
        "{shown}"
    );
    let (head, body) = desk.get("/lab/progress");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, r#"{"done":["05-visibility","04-receive"]}"#);

    let progress = desk.temporary.path().join("progress.txt");
    fs::write(&progress, "29-cleanup\n").expect("written");
    assert!(desk.ask(&["status"]).contains("Next: 30-tour\n"));
    fs::write(&progress, "29-cleanup\n13-both\n").expect("written");
    assert!(desk.ask(&["status"]).contains("Next: 14-put\n"));
    fs::remove_file(progress).expect("removed");
    assert!(desk.ask(&["status"]).starts_with("Seed "));
    assert_eq!(desk.get("/lab/progress").1, r#"{"done":[]}"#);
}

#[test]
fn the_commands_find_the_local_cloud_by_its_endpoint() {
    let desk = Desk::start(&["--no-book", "--seed", "9"]);
    for endpoint in [
        format!("http://{}", desk.host),
        format!("http://localhost:{}/", desk.port()),
    ] {
        let output = run(lab(&["status"]).env("AWS_ENDPOINT_URL", &endpoint));
        assert!(output.status.success(), "{endpoint}: {output:?}");
        assert!(
            output.stdout.starts_with(b"Seed 9\n"),
            "{endpoint}: {output:?}"
        );
    }
}

#[test]
fn the_commands_never_leave_this_machine() {
    for endpoint in [
        "http://192.0.2.1:4566",
        "https://127.0.0.1:9",
        "http://127.0.0.1.invalid:80",
    ] {
        // They ask the default port instead, where a local cloud may run or not.
        let (_, errors) = failure(lab(&["fault", "list"]).env("AWS_ENDPOINT_URL", endpoint));
        assert!(
            errors.is_empty() || errors.contains(" 127.0.0.1:4566"),
            "{endpoint}: {errors}"
        );
    }
}

#[test]
fn an_endpoint_without_its_scheme_is_explained() {
    let endpoint = "127.0.0.1:4566";
    let (code, errors) = failure(lab(&["status"]).env("AWS_ENDPOINT_URL", endpoint));
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("it begins with http://, such as http://127.0.0.1:4566"),
        "{errors}"
    );
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    for (args, explanation) in [
        (&["clock", "30s"][..], "write a time such as +30s"),
        (&["clock", "+30"], "write a time such as +30s"),
        (&["clock", "+"], "write a time such as +30s"),
        (&["clock", "+5ü"], "write a time such as +30s"),
        (
            &["clock", "+99999999999999999999d"],
            "write a time such as +30s",
        ),
        (&["clock", "+999999999999999d"], "write a time such as +30s"),
        (&["clock", "-30s"], "the clock moves forward only"),
        (&["fault"], "Usage"),
        (&["fault", "fire"], "unrecognized subcommand"),
        (&["fault", "throttle", "--count", "0"], "--count"),
        (&["--port", "70000"], "70000"),
        (&["--seed", "7", "status"], "--seed"),
        (&["stat"], "status"),
    ] {
        let (code, errors) = failure(&mut lab(args));
        assert_eq!(code, Some(2), "{args:?}: {errors}");
        assert!(errors.contains(explanation), "{args:?}: {errors}");
    }
}

#[test]
fn without_a_local_cloud_the_commands_say_what_to_do() {
    // The port of a client: taken, so that no other test gets it, and nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = listener.local_addr().and_then(TcpStream::connect);
    let client = client.expect("a connection");
    let port = client.local_addr().expect("an address").port().to_string();
    for command in [
        &["status"][..],
        &["clock"],
        &["clock", "+1s"],
        &["fault", "list"],
    ] {
        let (code, errors) = failure(lab(command).args(["--port", &port]));
        assert_eq!(code, Some(1), "{errors}");
        assert_eq!(
            errors,
            format!("Error: no local cloud at 127.0.0.1:{port}: start it with `cargo run` in another terminal\n")
        );
    }
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let desk = Desk::start(&["--no-book"]);
    let (code, errors) = failure(&mut lab(&["--port", desk.port()]));
    assert_eq!(code, Some(1), "{errors}");
    let named = format!(
        "another local cloud is running at http://{}: use it",
        desk.host
    );
    assert!(errors.contains(&named), "{errors}");
    assert!(errors.contains("cargo run -- --port 0"), "{errors}");
}

#[test]
fn a_program_that_is_no_local_cloud_is_told_from_one() {
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = stranger
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    thread::spawn(move || {
        for mut stream in stranger.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    let (code, errors) = failure(&mut lab(&["--no-book", "--port", &port]));
    assert_eq!(code, Some(1), "{errors}");
    let named = format!("another program has taken port {port}");
    assert!(errors.contains(&named), "{errors}");

    let (code, errors) = failure(&mut lab(&["status", "--port", &port]));
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("is no local cloud"), "{errors}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_end_the_desk_and_leave_nothing() {
    for signal in ["-INT", "-TERM"] {
        let (mut desk, _book) = Desk::with_page("# First\n");
        let rendered = desk.temporary.path().to_owned();
        let left = || fs::read_dir(&rendered).expect("a folder").count();
        assert_eq!(left(), 1, "the rendered pages");
        let start = Instant::now();
        let id = desk.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.expect("kill runs").success());
        let ended = desk.child.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0), "{signal}");
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
        let mut rest = String::new();
        desk.stdout.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "Stopped.\n");
        assert_eq!(left(), 0, "the rendered pages are gone");
        let again = Desk::start_on(desk.port(), &["--no-book"]);
        assert_eq!(again.host, desk.host);
    }
}

#[test]
fn the_desk_compiles_no_aws_sdk() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut tree = Command::new(cargo);
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args([
        "tree",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let output = run(tree.args(["--package", "lab"]));
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).expect("text");
    assert!(tree.contains("mdbook-driver "), "{tree}");
    // The Kinesis engine shares two small crates with the SDK, the types of values and of event streams. Neither
    // connects to anything, and no client or TLS comes with them.
    const SHARED: [&str; 2] = ["aws-smithy-types ", "aws-smithy-eventstream "];
    let is_shared = |line: &&str| SHARED.iter().any(|name| line.starts_with(name));
    let heavy = tree
        .lines()
        .filter(|line| line.starts_with("aws-") || line.starts_with("rustls"))
        .filter(|line| !is_shared(line));
    assert_eq!(heavy.collect::<Vec<_>>(), [""; 0]);
}
