//! The programs as a person at a terminal meets them: what `--help` says, what is missing, who stops reading.

use aws_sdk_sqs::Client;
use localcloud::clock::Pace;
use localcloud::{LocalCloud, Options};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn cloud() -> LocalCloud {
    let pace = Pace::Patient(Duration::from_millis(100));
    LocalCloud::start(Options { pace, ..Options::default() }).expect("the local cloud starts")
}

/// A program of the book, with its arguments and this endpoint.
fn program(endpoint: &str, words: &[&str]) -> Command {
    let mut path = env::current_exe().expect("the path of this test");
    path.pop();
    path.set_file_name(format!("{}{}", words[0], env::consts::EXE_SUFFIX));
    let mut command = Command::new(path);
    command.args(&words[1..]).stdin(Stdio::null()).env("AWS_ENDPOINT_URL", endpoint);
    command.env_remove("LAB_NAME").env_remove("LAB_TARGET");
    command
}

/// Waits for the end of a program; one that hangs is killed.
fn end(mut child: Child, what: &str) -> Output {
    let since = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if since.elapsed() > LIMIT {
            child.kill().expect("killed");
            let output = child.wait_with_output().expect("a child");
            panic!("{what} runs longer than {LIMIT:?}: {output:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("a child")
}

/// The exit code, and what a program writes to the standard error.
fn errors(command: &mut Command) -> (Option<i32>, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let output = end(child.expect("it starts"), &format!("{command:?}"));
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().expect("a pipe");
    writer.into()
}

#[tokio::main]
async fn queues(endpoint: &str) -> Vec<String> {
    let credentials = aws_sdk_sqs::config::Credentials::new("reader", "made-up", None, None, "lab");
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(credentials);
    let listing = Client::from_conf(config.build()).list_queues().send().await;
    listing.expect("a list").queue_urls.unwrap_or_default()
}

#[test]
fn an_experiment_whose_reader_is_gone_cleans_up_and_says_nothing() {
    let cloud = cloud();
    let endpoint = cloud.endpoint();
    for both in [false, true] {
        let mut order = program(&endpoint, &["order"]);
        order.stdout(closed()).stderr(if both { closed() } else { Stdio::piped() });
        let output = end(order.spawn().expect("it starts"), "order");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""));
        assert_eq!(queues(&endpoint), [""; 0], "its queue is deleted");
    }
}

#[test]
fn a_program_that_runs_until_ctrl_c_ends_with_its_reader() {
    let cloud = cloud();
    let endpoint = cloud.endpoint();
    assert_eq!(errors(&mut program(&endpoint, &["create"])), (Some(0), String::new()));
    for name in ["receive", "send"] {
        let mut starting = program(&endpoint, &[name]);
        let mut child =
            starting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("text");
        assert!(first.starts_with("Connected to "), "{first}");
        drop(lines);
        let output = end(child, name);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{name}");
    }
}

#[test]
fn what_is_missing_is_named_with_the_command_that_makes_it() {
    let cloud = cloud();
    let endpoint = cloud.endpoint();
    for (words, hint) in [
        (&["receive"][..], "there is no queue StandardQueue yet: `cargo run --bin create` makes it"),
        (
            &["fifo"],
            "there is no queue FIFOQueue.fifo yet: `cargo run --bin create -- fifo-queue` makes it",
        ),
        (&["receive", "--queue", "orders"], "there is no queue orders yet\n"),
        (
            &["put"],
            "there is no stream KinesisStream yet: `cargo run --bin create -- kinesis-stream` makes it",
        ),
    ] {
        let (code, errors) = errors(&mut program(&endpoint, words));
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(hint), "{words:?}: {errors}");
    }
    let (_, errors) = errors(program(&endpoint, &["receive"]).env("LAB_NAME", "alice"));
    assert!(errors.contains("there is no queue alice-StandardQueue yet: "), "{errors}");
}

#[test]
fn an_endpoint_without_its_scheme_is_explained() {
    let (code, errors) = errors(&mut program("localhost:4566", &["whoami"]));
    let explained =
        "Error: AWS_ENDPOINT_URL is localhost:4566: it begins with http://, such as http://localhost:4566\n";
    assert_eq!((code, &*errors), (Some(1), explained));
}

#[test]
fn each_program_says_what_it_does_and_takes_no_other_option() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let mut programs = 0;
    for file in fs::read_dir(folder).expect("the programs") {
        let file = file.expect("a program").path();
        let source = fs::read_to_string(&file).expect("text");
        let first = source.lines().find_map(|line| line.strip_prefix("//! ")).expect("a comment");
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");

        let mut help = String::new();
        let mut asked = program("http://127.0.0.1:9", &[name, "--help"]);
        let mut child = asked.stdout(Stdio::piped()).spawn().expect("it starts");
        child.stdout.take().expect("piped").read_to_string(&mut help).expect("text");
        assert!(end(child, name).status.success(), "{name} --help");
        let described = first.replace('`', "");
        assert!(help.contains(&described), "{name} --help: no `{described}` in\n{help}");
        assert!(help.contains("book/"), "{name} --help names no page:\n{help}");

        let (code, errors) =
            errors(&mut program("http://127.0.0.1:9", &[name, "--no-such-option"]));
        assert_eq!(code, Some(2), "{name} --no-such-option: {errors}");
        programs += 1;
    }
    assert!(programs > 50, "only {programs} programs");
}
