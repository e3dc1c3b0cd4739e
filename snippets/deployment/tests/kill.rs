//! Kills the tour at random moments, and holds `cleanup` to its word: nothing of the lab is left, and no function runs.
//! For longer:
//!
//!     cargo test -p deployment --test kill -- --ignored --nocapture

use localcloud::clock::Pace;
use localcloud::{ids, LocalCloud, Options};
use rand::rngs::SmallRng;
use rand::RngExt;
use serde_json::Value;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SEED: u64 = 1;
/// The pages on which Lambda has something to do, and one before them.
const PAGES: [&str; 4] = ["20", "22", "23", "26"];
const SOAK: usize = 40;

#[test]
fn killed_at_any_step_the_tour_leaves_nothing_that_cleanup_does_not_find() {
    thread::scope(|scope| {
        for page in PAGES {
            scope.spawn(move || {
                let cloud = cloud();
                kill_and_clean_up(&cloud, page, &mut ids::source(SEED, page));
                // And once more to its end: whatever is created, is created again.
                if page == PAGES[0] {
                    tour(&cloud, "28");
                }
            });
        }
    });
}

#[test]
#[ignore = "takes minutes: for a change of the tour, of the cleanup, or of how functions run"]
fn the_same_on_every_page_and_then_the_whole_tour_twice() {
    let page = |random: &mut SmallRng| format!("{:02}", random.random_range(1..=26));
    thread::scope(|scope| {
        for n in 0..PAGES.len() {
            scope.spawn(move || {
                let cloud = cloud();
                let mut random = ids::source(SEED, &format!("soak {n}"));
                for _ in 0..SOAK / PAGES.len() {
                    kill_and_clean_up(&cloud, &page(&mut random), &mut random);
                }
            });
        }
    });
    let cloud = cloud();
    for _ in 0..2 {
        tour(&cloud, "1");
    }
}

fn cloud() -> LocalCloud {
    let options = Options {
        pace: Pace::Patient(Duration::from_millis(200)),
        ..Options::default()
    };
    LocalCloud::start(options).expect("the local cloud starts")
}

/// A tour to its end, which leaves nothing.
fn tour(cloud: &LocalCloud, from: &str) {
    let done = program(cloud, "tour", &["--from", from]).output();
    let done = done.expect("the tour starts: run the whole `cargo test`");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{printed}");
    assert!(
        printed.ends_with("Nothing of the lab is left\n"),
        "{printed}"
    );
    assert_empty(cloud, &printed);
}

/// Starts a tour at this page, kills it some steps later, and cleans up.
fn kill_and_clean_up(cloud: &LocalCloud, page: &str, random: &mut SmallRng) {
    let mut starting = program(cloud, "tour", &["--from", page]);
    group(&mut starting);
    let mut tour = starting.stdout(Stdio::piped()).spawn();
    let tour = tour.as_mut().expect("the tour starts");
    let mut output = BufReader::new(tour.stdout.take().expect("its output")).lines();
    let steps = output.by_ref().map_while(Result::ok);
    let steps = steps.filter(|line| line.starts_with('['));
    let step = steps.take(random.random_range(4..=12)).last();
    thread::sleep(Duration::from_millis(random.random_range(0..2000)));
    tour.kill().expect("it can be killed");
    tour.wait().expect("it ends");
    let step = step.unwrap_or_default();
    println!("killed at {step}");
    until_gone(tour.id());

    let done = program(cloud, "cleanup", &[]).output().expect("it starts");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "killed at {step}: {printed}");
    assert_empty(cloud, &format!("killed at {step}: {printed}"));
}

/// By the local cloud's own inventory, and by that of the system.
fn assert_empty(cloud: &LocalCloud, why: &str) {
    let status = status(cloud);
    for kind in [
        "queues",
        "streams",
        "functions",
        "mappings",
        "roles",
        "log_groups",
    ] {
        assert_eq!(status[kind], Value::Array(Vec::new()), "{kind}: {why}");
    }
    let looked = program(cloud, "cleanup", &["--dry-run"]).output();
    let looked = looked.expect("it starts").stdout;
    let found = String::from_utf8_lossy(&looked);
    assert!(!found.contains("Found"), "{found}: {why}");
    let since = Instant::now();
    while let Some(process) = functions(cloud).first() {
        assert!(
            since.elapsed() < Duration::from_secs(5),
            "process {process} runs on: {why}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn status(cloud: &LocalCloud) -> Value {
    let mut stream = TcpStream::connect(cloud.address()).expect("the local cloud listens");
    let request = format!(
        "GET /lab/status HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        cloud.address()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).expect("JSON")
}

/// The processes of this cloud's functions, where the system tells.
fn functions(cloud: &LocalCloud) -> Vec<String> {
    let endpoint = format!("AWS_ENDPOINT_URL={}", cloud.endpoint());
    let is_function = |process: &PathBuf| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let has = |wanted: &dyn Fn(&[u8]) -> bool| environment.split(|byte| *byte == 0).any(wanted);
        has(&|variable| variable == endpoint.as_bytes())
            && has(&|variable| variable.starts_with(b"LAMBDA_TASK_ROOT="))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let paths = processes.filter_map(|process| Some(process.ok()?.path()));
    paths
        .filter(is_function)
        .map(|path| path.display().to_string())
        .collect()
}

fn program(cloud: &LocalCloud, name: &str, arguments: &[&str]) -> Command {
    let tour = PathBuf::from(env!("CARGO_BIN_EXE_tour"));
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let mut command = Command::new(tour.with_file_name(file));
    command
        .args(arguments)
        .env_remove("CARGO")
        .env_remove("LAB_NAME")
        .env_remove("LAB_TARGET")
        .env_remove("LAB_FUNCTIONS")
        .env("AWS_ENDPOINT_URL", cloud.endpoint())
        .stdin(Stdio::null());
    command
}

/// The tour and the steps that it starts become a group of processes.
#[cfg(unix)]
fn group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn group(_: &mut Command) {}

/// A step that was running may go on to its end, or until it prints something.
#[cfg(unix)]
fn until_gone(group: u32) {
    let since = Instant::now();
    let mut asking = Command::new("kill");
    asking
        .args(["-0", "--", &format!("-{group}")])
        .stderr(Stdio::null());
    while asking.status().is_ok_and(|status| status.success()) {
        assert!(since.elapsed() < Duration::from_secs(60), "a step goes on");
        thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(not(unix))]
fn until_gone(_: u32) {
    thread::sleep(Duration::from_secs(15));
}
