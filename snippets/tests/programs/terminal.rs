//! The programs as a person at a terminal meets them: what `--help` says, what is missing, who stops reading.

use crate::session::{built, run, start, LIMIT};
use localcloud::clock::Pace;
use localcloud::testing::command;
use localcloud::{LocalCloud, Options};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

fn cloud() -> LocalCloud {
    let pace = Pace::Patient(Duration::from_millis(200));
    LocalCloud::start(Options { pace, ..Options::default() }).expect("the local cloud starts")
}

/// The output of a command, its errors and its exit code included.
fn printed(cloud: &LocalCloud, text: &str) -> String {
    run(cloud, text, Path::new(env!("CARGO_TARGET_TMPDIR")), None)
}

/// Waits for the end of a program whose output is not read as it comes; one that hangs is killed.
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

fn assert_quiet(output: &Output, what: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{what}");
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().expect("a pipe");
    writer.into()
}

#[test]
fn an_experiment_whose_reader_is_gone_cleans_up_and_says_nothing() {
    let cloud = cloud();
    for errors_too in [false, true] {
        let mut order = command(&cloud, built("order"));
        order.stdout(closed()).stderr(if errors_too { closed() } else { Stdio::piped() });
        assert_quiet(&end(order.spawn().expect("it starts"), "order"), "order");
        let left = printed(&cloud, "cargo run --bin cleanup -- --dry-run");
        assert!(!left.contains("Found "), "{left}");
    }
}

#[test]
fn a_program_that_runs_until_ctrl_c_ends_with_its_reader() {
    let cloud = cloud();
    printed(&cloud, "cargo run --bin create");
    for name in ["receive", "send"] {
        let mut starting = command(&cloud, built(name));
        starting.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = starting.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("text");
        assert!(first.starts_with("Connected to "), "{first}");
        drop(lines);
        assert_quiet(&end(child, name), name);
    }
}

#[test]
fn what_is_missing_is_named_with_the_command_that_makes_it() {
    let cloud = cloud();
    for (program, hint) in [
        ("receive", "there is no queue StandardQueue yet: `cargo run --bin create` makes it"),
        (
            "fifo",
            "there is no queue FIFOQueue.fifo yet: `cargo run --bin create -- fifo-queue` makes it",
        ),
        ("receive -- --queue orders", "there is no queue orders yet\n"),
        (
            "put",
            "there is no stream KinesisStream yet: `cargo run --bin create -- kinesis-stream` makes it",
        ),
        (
            "deploy -- sqs-function",
            "there is no stack SQSFunction yet: `cargo run --bin create -- sqs-function` makes it",
        ),
        (
            "logs -- sqs-function",
            "there is no function SQSFunction yet: `cargo run --bin deploy -- sqs-function` uploads it",
        ),
    ] {
        let printed = printed(&cloud, &format!("cargo run --bin {program}"));
        assert!(printed.contains(hint), "{program}: {printed}");
        assert!(printed.ends_with("(exit code 1)\n"), "{program}: {printed}");
    }
    let printed = |text: &str| printed(&cloud, text);
    let of_alice = printed("LAB_NAME=alice cargo run --bin receive");
    assert!(of_alice.contains("there is no queue alice-StandardQueue yet: "), "{of_alice}");
    printed("cargo run --bin create");
    let trigger = printed("cargo run --bin trigger -- sqs-function");
    assert!(
        trigger.contains(
            "there is no stack SQSFunction yet: `cargo run --bin create -- sqs-function`"
        ),
        "{trigger}"
    );
}

#[test]
fn an_endpoint_without_its_scheme_is_explained() {
    let printed = printed(&cloud(), "AWS_ENDPOINT_URL=localhost:4566 cargo run --bin whoami");
    let explained =
        "Error: AWS_ENDPOINT_URL is localhost:4566: it begins with http://, such as http://localhost:4566\n";
    assert!(printed.contains(explained), "{printed}");
}

#[test]
fn right_after_a_cleanup_create_says_how_not_to_wait() {
    let cloud = cloud();
    printed(&cloud, "cargo run --bin create");
    printed(&cloud, "cargo run --bin cleanup");
    let refused = printed(&cloud, "cargo run --bin create");
    assert!(refused.contains("with `cargo run -- clock +60s`"), "{refused}");
}

#[test]
fn each_program_says_what_it_does_and_takes_no_other_option() {
    let cloud = cloud();
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut programs = 0;
    for folder in ["src/bin", "exercises/src/bin", "deployment/src/bin"] {
        for file in fs::read_dir(here.join(folder)).expect("the programs") {
            let file = file.expect("a program").path();
            let source = fs::read_to_string(&file).expect("text");
            let first = source.lines().find_map(|line| line.strip_prefix("//! "));
            let first = first.expect("a comment").replace('`', "");
            let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");

            let help = start(&cloud, command(&cloud, built(name)).arg("--help")).end();
            assert!(help.status.success(), "{name} --help: {:?}", help.printed);
            let printed = help.printed.join("\n");
            assert!(printed.contains(&first), "{name} --help: no `{first}` in\n{printed}");
            assert!(printed.contains("book/"), "{name} --help names no page:\n{printed}");

            let refused = start(&cloud, command(&cloud, built(name)).arg("--no-such")).end();
            assert_eq!(refused.status.code(), Some(2), "{name} --no-such: {:?}", refused.printed);
            programs += 1;
        }
    }
    assert!(programs > 70, "only {programs} programs");
}
