//! Runs every Rust block of the book against a local cloud of its own. A test is named after its chapter, heading and
//! line: `send_sect_sending_line_14`.
//!
//! A block that stands for a program which cargo has built beside this test is that program: it is not compiled a second
//! time. Any other block is built and run by skeptic. Both ways show the same failure.

use localcloud::clock::Pace;
use localcloud::testing::{self, Inputs, Running};
use localcloud::{LocalCloud, Options};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use std::{env, fs, panic};

mod blocks {
    include!(concat!(env!("OUT_DIR"), "/blocks.rs"));
}

/// After how long without a request the local cloud's clock goes to the end of a long poll.
const PATIENCE: Duration = Duration::from_millis(200);

/// A block that runs longer hangs. skeptic compiles within it, too.
const LIMIT: Duration = Duration::from_secs(300);

/// The folders with the programs of the book, and what each of them is built from beside its own file.
const PACKAGES: [(&str, &[&str]); 3] = [
    ("snippets", &["snippets/src"]),
    (
        "snippets/deployment",
        &["snippets/deployment/src", "snippets/src"],
    ),
    ("snippets/functions", &[]),
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Called by the test of each block.
fn run_test(root: &str, out: &str, target: &str, text: &str) {
    once("run", text, || match built(text) {
        Some(program) => {
            let inputs = inputs(text).and_program(&program);
            green(inputs, || run(&program, &[], &[]));
        }
        None => green(inputs(text), || by_skeptic("run", root, out, target, text)),
    });
}

/// Called by the test of each `no_run` block.
fn compile_test(root: &str, out: &str, target: &str, text: &str) {
    once("compile", text, || {
        if built(text).is_none() {
            green(inputs(text), || {
                by_skeptic("compile", root, out, target, text)
            });
        }
    });
}

/// The inputs of a block beside its own program: the local cloud, what it may deploy, and the crates.
fn inputs(text: &str) -> Inputs {
    static SHARED: LazyLock<Inputs> = LazyLock::new(|| {
        let root = Path::new(ROOT);
        let functions = fs::read_dir(root.join("snippets/functions/src/bin"));
        let functions = functions.into_iter().flatten().flatten();
        let functions = functions.map(|entry| executable(&stem(&entry.path())));
        let inputs = ["localcloud/src", "tests/skeptic.rs", "Cargo.lock"]
            .iter()
            .fold(Inputs::of("block"), |inputs, path| {
                inputs.and_text(&root.join(path))
            });
        functions.fold(inputs, |inputs, program| inputs.and_program(&program))
    });
    SHARED.clone().and(text)
}

fn green(inputs: Inputs, test: impl FnOnce()) {
    inputs.unless_green(
        &Path::new(env!("CARGO_TARGET_TMPDIR")).join("green"),
        || {
            test();
            true
        },
    );
}

/// A local cloud for one block.
fn cloud() -> LocalCloud {
    let options = Options {
        pace: Pace::Patient(PATIENCE),
        ..Options::default()
    };
    LocalCloud::start(options).expect("the local cloud starts")
}

/// Runs the program in an empty folder, against a local cloud of its own. It has to succeed.
fn run(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("blocks")
        .join(number.to_string());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for what the block writes");
    let cloud = cloud();
    let mut command = testing::command(&cloud, program);
    command
        .args(arguments)
        .current_dir(&folder)
        // The functions that it may deploy: cargo has built them in the folder above this test's.
        .env("LAB_FUNCTIONS", executables())
        .envs(variables.iter().copied());
    let ended = Running::start(&cloud, &mut command, LIMIT)
        .unwrap_or_else(|error| panic!("{error}"))
        .end();
    let printed = ended.printed.join("\n");
    assert!(ended.status.success(), "{}:\n{printed}", ended.status);
}

/// Has skeptic build the program, and run it. This executable does it in a process of its own, which finds the block's
/// local cloud in its environment, and which can be killed.
fn by_skeptic(kind: &str, root: &str, out: &str, target: &str, text: &str) {
    let this = env::current_exe().expect("the path of this test");
    let variables = [
        ("ROOT", root),
        ("OUT", out),
        ("TARGET", target),
        ("KIND", kind),
        ("TEXT", text),
    ];
    let variables = variables.map(|(name, value)| (format!("SKEPTIC_{name}"), value));
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let arguments = [
        "--ignored",
        "--exact",
        "a_block_in_a_process_of_its_own",
        "--nocapture",
    ];
    run(&this, &arguments, &variables);
}

#[test]
#[ignore = "not a test of its own: what `by_skeptic` runs"]
fn a_block_in_a_process_of_its_own() {
    let variable = |name| env::var(format!("SKEPTIC_{name}")).unwrap_or_default();
    let (root, out, target) = (variable("ROOT"), variable("OUT"), variable("TARGET"));
    // skeptic's message goes on with a screenful of the compiler's arguments.
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        eprintln!("{}", message.lines().next().unwrap_or_default());
    }));
    match variable("KIND").as_str() {
        "run" => skeptic::rt::run_test(&root, &out, &target, &variable("TEXT")),
        "compile" => skeptic::rt::compile_test(&root, &out, &target, &variable("TEXT")),
        _ => {}
    }
}

/// A page shows a program in several parts, each a block that stands for the whole: they share one test of it.
fn once(kind: &'static str, program: &str, test: impl FnOnce()) {
    type Outcomes = HashMap<(&'static str, String), Arc<OnceLock<Result<(), String>>>>;
    static OUTCOMES: LazyLock<Mutex<Outcomes>> = LazyLock::new(Mutex::default);
    let outcome = {
        let mut outcomes = OUTCOMES.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes
            .entry((kind, program.to_owned()))
            .or_default()
            .clone()
    };
    let outcome = outcome.get_or_init(|| {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(test));
        outcome.map_err(|panic| match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "This program fails.".to_owned(),
        })
    });
    if let Err(message) = outcome {
        panic!("{message}");
    }
}

/// The executable of the program with this text, if cargo has built it after the last change of what it is made of.
fn built(text: &str) -> Option<PathBuf> {
    static PROGRAMS: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(programs);
    PROGRAMS.get(text.trim()).cloned()
}

/// The executables of the book's programs by their text, without those that are older than it.
fn programs() -> HashMap<String, PathBuf> {
    let mut programs = HashMap::new();
    for (package, sources) in PACKAGES {
        let sources = sources
            .iter()
            .flat_map(|folder| texts(&Path::new(ROOT).join(folder)));
        let shared = sources.filter_map(|file| modified(&file)).max();
        for file in texts(&Path::new(ROOT).join(package).join("src/bin")) {
            let program = executable(&stem(&file));
            let is_new = modified(&program) >= modified(&file).max(shared);
            if let (true, Ok(text)) = (is_new, fs::read_to_string(&file)) {
                programs.insert(text.trim().to_owned(), program);
            }
        }
    }
    programs
}

/// The Rust files of this folder.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = files.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The executable of this program that cargo built beside this test.
fn executable(program: &str) -> PathBuf {
    executables().join(format!("{program}{}", env::consts::EXE_SUFFIX))
}

fn executables() -> PathBuf {
    let this = env::current_exe().expect("the path of this test");
    this.ancestors()
        .nth(2)
        .expect("the folder above it")
        .to_owned()
}

/// A failing program prints the same both ways: `receive` has no queue here.
#[test]
fn a_program_that_cargo_built_fails_as_it_does_with_skeptic() {
    let text =
        fs::read_to_string(Path::new(ROOT).join("snippets/src/bin/receive.rs")).expect("a program");
    let program = built(&text).expect("cargo has built it: run the whole `cargo test`");
    let failure = |test: &dyn Fn()| {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(test));
        let message = outcome.expect_err("it fails");
        message.downcast_ref::<String>().expect("a message").clone()
    };
    let ours = failure(&|| run(&program, &[], &[]));
    let out = env!("OUT_DIR");
    let skeptics = failure(&|| by_skeptic("run", ROOT, out, env!("TARGET"), &text));
    let error = ours
        .lines()
        .find(|line| line.starts_with("Error: "))
        .expect("an error");
    assert!(error.contains("NonExistentQueue"), "{ours}");
    assert!(skeptics.contains(error), "{ours}\n\n{skeptics}");
}
