//! Kills the tour at random moments, and holds `cleanup` to its word: nothing of the lab is left, and no function runs.
//! For longer:
//!
//!     cargo test --test kill -- --ignored --nocapture

use localcloud::clock::Pace;
use localcloud::ids::Random;
use localcloud::testing::{self, Ended, Inputs, Running};
use localcloud::{ids, LocalCloud, Options};
use rand::RngExt;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

const SEED: u64 = 1;
/// The pages on which Lambda has something to do, and one before them.
const PAGES: [&str; 4] = ["20", "22", "23", "26"];
const SOAK: usize = 40;
/// A tour that runs longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// Beside the programs that the pages' sessions run, this depends on the tour, the cleanup, and this executable, which
/// holds the local cloud.
#[test]
fn killed_at_any_step_the_tour_leaves_nothing_that_cleanup_does_not_find() {
    let this = env::current_exe().expect("the path of this test");
    Inputs::of("killed tour")
        .and_program(&this)
        .and_program(&built("tour"))
        .and_program(&built("cleanup"))
        .unless_green(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("green"), || {
            kill_at_some_steps();
            true
        });
}

fn kill_at_some_steps() {
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
    let page = |random: &mut Random| format!("{:02}", random.random_range(1..=26));
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
    let options = Options { pace: Pace::Patient(Duration::from_millis(200)), ..Options::default() };
    LocalCloud::start(options).expect("the local cloud starts")
}

/// A tour to its end, which leaves nothing.
fn tour(cloud: &LocalCloud, from: &str) {
    let done = end(cloud, "tour", &["--from", from]);
    let printed = done.printed.join("\n");
    assert!(done.status.success(), "{printed}");
    assert!(printed.ends_with("Nothing of the lab is left"), "{printed}");
    assert_empty(cloud, &printed);
}

/// Starts a tour at this page, kills it some steps later, and cleans up.
fn kill_and_clean_up(cloud: &LocalCloud, page: &str, random: &mut Random) {
    let mut starting = program(cloud, "tour", &["--from", page]);
    group(&mut starting);
    let mut tour = start(cloud, &mut starting);
    let mut step = String::new();
    let mut steps = random.random_range(4..=12);
    while let Some(line) = tour.line().filter(|_| steps > 0) {
        if line.starts_with('[') {
            steps -= 1;
            step = line;
        }
    }
    thread::sleep(Duration::from_millis(random.random_range(0..2000)));
    let id = tour.id();
    drop(tour);
    println!("killed at {step}");
    until_gone(id);

    let done = end(cloud, "cleanup", &[]);
    let printed = done.printed.join("\n");
    assert!(done.status.success(), "killed at {step}: {printed}");
    assert_empty(cloud, &format!("killed at {step}: {printed}"));
}

/// By the local cloud's own inventory, and by that of the system.
fn assert_empty(cloud: &LocalCloud, why: &str) {
    let status = cloud.status().expect("the local cloud answers");
    for kind in ["queues", "streams", "functions", "mappings", "roles", "log_groups"] {
        assert_eq!(status[kind], Value::Array(Vec::new()), "{kind}: {why}");
    }
    let found = end(cloud, "cleanup", &["--dry-run"]).printed.join("\n");
    assert!(!found.contains("Found"), "{found}: {why}");
    let since = Instant::now();
    while let Some(process) = functions(cloud).first() {
        assert!(since.elapsed() < Duration::from_secs(5), "process {process} runs on: {why}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The processes of this cloud's functions, where the system tells.
fn functions(cloud: &LocalCloud) -> Vec<String> {
    let endpoint = format!("AWS_ENDPOINT_URL={}", cloud.endpoint());
    let is_function = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        let has = |wanted: &dyn Fn(&[u8]) -> bool| environment.split(|byte| *byte == 0).any(wanted);
        has(&|variable| variable == endpoint.as_bytes())
            && has(&|variable| variable.starts_with(b"LAMBDA_TASK_ROOT="))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let paths = processes.filter_map(|process| Some(process.ok()?.path()));
    paths.filter(is_function).map(|path| path.display().to_string()).collect()
}

fn end(cloud: &LocalCloud, name: &str, arguments: &[&str]) -> Ended {
    start(cloud, &mut program(cloud, name, arguments)).end()
}

fn start(cloud: &LocalCloud, command: &mut Command) -> Running {
    let running = Running::start(cloud, command, LIMIT);
    running.unwrap_or_else(|error| panic!("{error}: run the whole `cargo test`"))
}

fn program(cloud: &LocalCloud, name: &str, arguments: &[&str]) -> Command {
    let mut command = testing::command(cloud, built(name));
    command.args(arguments);
    command
}

fn built(program: &str) -> PathBuf {
    let tour = PathBuf::from(env!("CARGO_BIN_EXE_tour"));
    tour.with_file_name(format!("{program}{}", env::consts::EXE_SUFFIX))
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
    asking.args(["-0", "--", &format!("-{group}")]).stderr(Stdio::null());
    while asking.status().is_ok_and(|status| status.success()) {
        assert!(since.elapsed() < Duration::from_secs(60), "a step goes on");
        thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(not(unix))]
fn until_gone(_: u32) {
    thread::sleep(Duration::from_secs(15));
}
