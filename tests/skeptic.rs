//! Builds and runs every Rust block of the book against a local cloud of this process. A test is named after its
//! chapter, heading and line: `send_sect_sending_line_14`.

use localcloud::clock::Pace;
use localcloud::{LocalCloud, Options};
use std::any::Any;
use std::collections::HashMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

mod blocks {
    include!(concat!(env!("OUT_DIR"), "/blocks.rs"));
}

/// What no block shares with another: they move the clock, or create and delete the stack of the lab.
const ALONE: [&str; 4] = ["pass(", "three_runs(", "create_stack(", "delete_stack("];

/// After how long without a request the local cloud's clock goes to the end of a long poll.
const PATIENCE: Duration = Duration::from_millis(200);

/// The local cloud of all blocks. Each has queues of its own there; those that run alone have a cloud of their own.
static CLOUD: LazyLock<LocalCloud> = LazyLock::new(|| {
    let others: Vec<_> = env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("AWS_") || name.starts_with("LAB_")
        })
        .collect();
    for name in others {
        env::remove_var(name);
    }
    // The functions that blocks deploy: cargo has built them in the folder above this test's.
    if let Ok(test) = env::current_exe() {
        env::set_var("LAB_FUNCTIONS", test.with_file_name("..").as_os_str());
    }
    // skeptic's message goes on with a screenful of the compiler's arguments.
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        eprintln!("{}", message.lines().next().unwrap_or_default());
    }));
    start()
});

/// Starts a local cloud and makes it the one that programs started from now on connect to.
fn start() -> LocalCloud {
    let cloud = LocalCloud::start(Options {
        pace: Pace::Patient(PATIENCE),
        ..Options::default()
    })
    .expect("the local cloud starts");
    env::set_var("AWS_ENDPOINT_URL", cloud.endpoint());
    cloud
}

/// Called by the test of each block.
fn run_test(root: &str, out: &str, target: &str, program: &str) {
    static TURNS: RwLock<()> = RwLock::new(());
    let shared = &*CLOUD;
    once("run", program, || {
        if ALONE.iter().any(|call| program.contains(call)) {
            let _turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
            let _own = start();
            let outcome = panic::catch_unwind(|| run(root, out, target, program));
            env::set_var("AWS_ENDPOINT_URL", shared.endpoint());
            outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
        } else {
            let _turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
            run(root, out, target, program);
        }
    });
}

/// Has skeptic run the program. On Linux an executable can't be started while it is open for writing, and a compiler
/// that another thread starts while skeptic writes it holds it open for a moment: then skeptic is asked again.
fn run(root: &str, out: &str, target: &str, program: &str) {
    loop {
        match panic::catch_unwind(|| skeptic::rt::run_test(root, out, target, program)) {
            Ok(()) => return,
            Err(panic) if is_busy(&*panic) => thread::sleep(Duration::from_millis(20)),
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

fn is_busy(panic: &(dyn Any + Send)) -> bool {
    let message = panic.downcast_ref::<String>();
    message.is_some_and(|message| {
        message.starts_with("Could not run") && message.ends_with("Text file busy (os error 26)")
    })
}

/// Called by the test of each `no_run` block.
fn compile_test(root: &str, out: &str, target: &str, program: &str) {
    LazyLock::force(&CLOUD);
    once("compile", program, || {
        skeptic::rt::compile_test(root, out, target, program)
    });
}

/// A page shows a program in several parts, each a block that stands for the whole: they share one test of it.
fn once(kind: &'static str, program: &str, test: impl FnOnce()) {
    type Outcomes = HashMap<(&'static str, String), Arc<OnceLock<bool>>>;
    static OUTCOMES: LazyLock<Mutex<Outcomes>> = LazyLock::new(Mutex::default);
    let outcome = {
        let mut outcomes = OUTCOMES.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes
            .entry((kind, program.to_owned()))
            .or_default()
            .clone()
    };
    let passed = outcome.get_or_init(|| panic::catch_unwind(AssertUnwindSafe(test)).is_ok());
    assert!(passed, "This program fails: one of its blocks shows how.");
}
