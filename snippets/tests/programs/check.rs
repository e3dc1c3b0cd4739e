//! The exercises of the pages as a reader goes through them: not done, done wrongly, done. The program `check` must
//! tell these from each other, and `cleanup` must find what they leave.

use crate::session::{self, green, inputs};
use exercises::PAGES;
use localcloud::clock::Pace;
use localcloud::{LocalCloud, Options};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An exercise. Its commands are those of the book, without `cargo run --bin`.
#[derive(Debug)]
struct Exercise {
    page: &'static str,
    /// Commands that make what the page begins with.
    setup: &'static [&'static str],
    /// `check` says this before anything is done.
    at_first: &'static str,
    /// Commands that make a mistake, and the words by which `check` tells. The commands may fail.
    mistakes: &'static [(&'static [&'static str], &'static str)],
    /// Commands that clear up after the mistakes.
    afresh: &'static [&'static str],
    /// The page's solution.
    solution: &'static [&'static str],
}

const EXERCISES: &[Exercise] = &[
    Exercise {
        page: "02-create",
        setup: &[],
        at_first: "there is no stack alice-SQSStandardQueue",
        mistakes: &[
            (&["create"], "LAB_NAME=alice must stand before the command"),
            (
                &["LAB_NAME=alice create", "LAB_NAME=alice cleanup", "LAB_NAME=alice create"],
                "is ROLLBACK_COMPLETE",
            ),
        ],
        afresh: &["LAB_NAME=alice cleanup", "-- clock +60s"],
        solution: &["LAB_NAME=alice create"],
    },
    Exercise {
        page: "03-send",
        setup: &["create"],
        at_first: "holds no message that is delayed",
        mistakes: &[(&["send --count 1"], "sent without a delay")],
        afresh: &[],
        solution: &["send-later"],
    },
    Exercise {
        page: "04-receive",
        setup: &["create"],
        at_first: "the default is a short poll",
        mistakes: &[
            (&["send --count 3"], "StandardQueue holds 3 messages"),
            (&["crash"], "received, and not deleted"),
        ],
        afresh: &[],
        solution: &["-- clock +30s", "receive --count 3", "set ReceiveMessageWaitTimeSeconds=20"],
    },
    Exercise {
        page: "05-visibility",
        setup: &["create"],
        at_first: "hides a received message for 30 s",
        mistakes: &[(&["set VisibilityTimeout=43200"], "nobody notices a crash")],
        afresh: &[],
        solution: &["set VisibilityTimeout=60"],
    },
    Exercise {
        page: "06-dead-letters",
        setup: &["create"],
        at_first: "has no RedrivePolicy",
        mistakes: &[
            (&["dead-letter-queue --receives 1"], "a maxReceiveCount of 1"),
            (
                &["dead-letter-queue", "set --queue DeadLetterQueue MessageRetentionPeriod=345600"],
                "the retention of the dead-letter queue was not raised",
            ),
        ],
        afresh: &[],
        solution: &["dead-letter-queue"],
    },
    Exercise {
        page: "07-batch",
        setup: &["create"],
        at_first: "a batch of eleven is refused as a whole",
        mistakes: &[
            (&["send --count 10"], "was not sent again"),
            (&["batch-eleven"], "what was sent already was sent again"),
        ],
        afresh: &["receive --count 21"],
        solution: &["batch-eleven"],
    },
    Exercise {
        page: "08-once",
        setup: &["create"],
        at_first: "StandardQueue holds 0 messages",
        mistakes: &[
            (&["send --count 1"], "the answer was not lost"),
            (&["send --count 2"], "the queue was not empty before"),
        ],
        afresh: &["receive --count 3"],
        solution: &["-- fault lost-response --target SendMessage", "send --count 1"],
    },
    Exercise {
        page: "09-fifo",
        setup: &["create fifo-queue"],
        at_first: "no message waits in FIFOQueue.fifo",
        mistakes: &[
            (&["send --queue FIFOQueue.fifo --count 3"], "a message without a group is refused"),
            (&["fifo --count 1"], "1 message in FIFOQueue.fifo"),
        ],
        afresh: &[],
        solution: &["fifo --count 3"],
    },
    Exercise {
        page: "10-groups",
        setup: &["create fifo-queue"],
        at_first: "no message waits in FIFOQueue.fifo",
        mistakes: &[
            (&["fifo --count 3"], "one group is one line"),
            (&["crash --queue FIFOQueue.fifo"], "its group is blocked"),
        ],
        afresh: &["-- clock +30s"],
        solution: &["fifo --group Group2 --count 3"],
    },
    Exercise {
        page: "11-deduplication",
        setup: &["create fifo-queue"],
        at_first: "no message waits in FIFOQueue.fifo",
        mistakes: &[(&["send-same", "send-same"], "the second was taken for a repetition")],
        afresh: &[],
        solution: &["send-same --id another-order"],
    },
    Exercise {
        page: "12-not-once",
        setup: &["create fifo-queue"],
        at_first: "no message waits in FIFOQueue.fifo",
        mistakes: &[
            (&["send-same", "send-same"], "sent again too soon"),
            (&["send-same --id another-order"], "with another one it is another order"),
        ],
        afresh: &[],
        solution: &["-- clock +5m", "send-same"],
    },
    Exercise {
        page: "13-both",
        setup: &["create", "create kinesis-stream"],
        at_first: "KinesisStream has 0 records",
        mistakes: &[
            (&["put --count 10", "send --count 10"], "StandardQueue holds 10 messages"),
            (&["crash"], "only what is deleted is gone"),
        ],
        afresh: &["-- clock +30s", "receive --count 10"],
        solution: &[
            "put --count 10",
            "send --count 10",
            "receive --count 10",
            "get --from start --count 10",
        ],
    },
    Exercise {
        page: "14-put",
        setup: &["create kinesis-stream"],
        at_first: "KinesisStream has no records",
        mistakes: &[(&["put --count 3"], "random keys")],
        afresh: &[],
        solution: &["put-one customer-7 created", "put-one customer-7 paid"],
    },
    Exercise {
        page: "15-get",
        setup: &["create kinesis-stream"],
        at_first: "keeps its records for 24 hours",
        mistakes: &[
            (&["retention"], "that of a stream of its own"),
            (&["keep-longer", "keep-longer --back"], "for 24 hours"),
        ],
        afresh: &[],
        solution: &["keep-longer"],
    },
    Exercise {
        page: "16-lost-records",
        setup: &["create", "create kinesis-stream"],
        at_first: "KinesisStream has 0 records",
        mistakes: &[
            (&["mended --old"], "LATEST after each batch"),
            (&["send --count 5"], "the queue was not empty before"),
        ],
        afresh: &["-- clock +25h", "receive --count 10"],
        solution: &["mended"],
    },
    Exercise {
        page: "17-put-many",
        setup: &["create kinesis-stream"],
        at_first: "KinesisStream has no records of account-7",
        mistakes: &[
            (&["put-one account-7 A", "put-one account-7 C"], "one was not stored"),
            (&["put-one account-7 B"], "behind what had followed it"),
        ],
        afresh: &[],
        solution: &["put-one account-7 A", "put-one account-7 B", "put-one account-7 C"],
    },
    Exercise {
        page: "18-hot-keys",
        setup: &["create kinesis-stream"],
        at_first: "no record whose key begins with berlin",
        mistakes: &[
            (&["put-one berlin-receipt-1 12.50"], "so nothing keeps the order of a till"),
            (&["-- clock +25h", "put-one berlin 12.50", "put-one berlin 3.20"], "a hot key"),
        ],
        afresh: &[],
        solution: &[
            "put-one berlin-till-1 12.50",
            "put-one berlin-till-2 3.20",
            "put-one berlin-till-1 4.00",
            "put-one berlin-till-2 7.90",
        ],
    },
    Exercise {
        page: "19-reshard",
        setup: &["create kinesis-stream"],
        at_first: "1 open shard, 0 of them from a split",
        mistakes: &[(&["split", "split --back"], "1 open shard, 0 of them from a split")],
        afresh: &[],
        solution: &["split"],
    },
    Exercise {
        page: "20-checkpoints",
        setup: &["create kinesis-stream"],
        at_first: "no checkpoints.json in this folder",
        mistakes: &[(
            &["put --count 12", "checkpoints --count 12"],
            "before the checkpoint of its last batch",
        )],
        afresh: &[],
        solution: &["checkpoints ^C 4"],
    },
    Exercise {
        page: "21-fan-out",
        setup: &["create kinesis-stream"],
        at_first: "no consumer of KinesisStream is registered",
        mistakes: &[(&["same-consumer"], "with a stream of its own")],
        afresh: &[],
        solution: &["register"],
    },
    Exercise {
        page: "22-sqs-function",
        setup: &["create", "create sqs-function"],
        at_first: "there is no function SQSFunction",
        mistakes: &[
            (&["deploy sqs-function", "trigger sqs-function"], "the policy is not attached"),
            (&["allow sqs-function"], "SQSFunction has no trigger"),
            (&["trigger sqs-function"], "has printed no message of the queue"),
            (&["adjust sqs-function --pause"], "the trigger of SQSFunction is Disabled"),
        ],
        afresh: &["adjust sqs-function --resume"],
        solution: &["send --count 1", "logs sqs-function --count 4"],
    },
    Exercise {
        page: "23-half-a-batch",
        setup: WITH_SQS_FUNCTION,
        at_first: "SQSFunction has no trigger",
        mistakes: &[(&["trigger sqs-function"], "ReportBatchItemFailures is not among")],
        afresh: &[],
        solution: &["adjust sqs-function --report"],
    },
    Exercise {
        page: "24-poison",
        setup: &[],
        at_first: "no queue of the experiment is left",
        mistakes: &[(&["poison --keep --no-report"], "good messages died with the poison")],
        afresh: &[],
        solution: &["poison --keep"],
    },
    Exercise {
        page: "25-scaling",
        setup: WITH_SQS_FUNCTION,
        at_first: "SQSFunction has no trigger",
        mistakes: &[
            (&["trigger sqs-function"], "is Enabled, and StandardQueue holds 0 messages"),
            (&["adjust sqs-function --delete"], "one that is disabled rests"),
            (
                &["trigger sqs-function", "adjust sqs-function --pause"],
                "is Disabled, and StandardQueue holds 0",
            ),
        ],
        afresh: &[],
        solution: &["adjust sqs-function --pause", "send --count 3"],
    },
    Exercise {
        page: "26-kinesis-function",
        setup: WITH_KINESIS_FUNCTION,
        at_first: "KinesisFunction has no trigger",
        mistakes: &[(&["trigger kinesis-function"], "begins at LATEST")],
        afresh: &[],
        solution: &["adjust kinesis-function --delete", "trigger kinesis-function --from start"],
    },
    Exercise {
        page: "27-blocked-shard",
        setup: WITH_KINESIS_FUNCTION,
        at_first: "KinesisFunction has no trigger",
        mistakes: &[
            (&["trigger kinesis-function"], "retries without end"),
            (
                &["adjust kinesis-function --retries 2"],
                "good records are given up with the bad one",
            ),
        ],
        afresh: &[],
        solution: &["adjust kinesis-function --retries 2 --split"],
    },
    Exercise {
        page: "28-least-privilege",
        setup: &["create sqs-function"],
        at_first: "may receive from no queue",
        mistakes: &[
            (&["allow sqs-function"], "has a wildcard"),
            (&["allow sqs-function --only AnotherQueue"], "may receive from AnotherQueue only"),
        ],
        afresh: &[],
        solution: &["allow sqs-function --only StandardQueue"],
    },
    Exercise {
        page: "29-cleanup",
        setup: &[
            "create",
            "dead-letter-queue",
            "create kinesis-stream",
            "register",
            "LAB_NAME=alice create",
        ],
        at_first: "still there: the stack",
        mistakes: &[(&["cleanup"], "made with LAB_NAME=alice")],
        afresh: &[],
        solution: &["LAB_NAME=alice cleanup"],
    },
];

const WITH_SQS_FUNCTION: &[&str] =
    &["create", "create sqs-function", "deploy sqs-function", "allow sqs-function"];
const WITH_KINESIS_FUNCTION: &[&str] = &[
    "create kinesis-stream",
    "create kinesis-function",
    "deploy kinesis-function",
    "allow kinesis-function",
];

#[test]
fn each_check_fails_before_the_exercise_names_the_mistake_and_passes_after_it() {
    let outcomes = session::side_by_side(EXERCISES, None, |exercise| {
        let mut outcome = Ok(());
        let commands: Vec<String> = exercise.commands().map(in_full).collect();
        let inputs = inputs("exercise", commands.iter().map(String::as_str));
        inputs.and(format!("{exercise:?}")).unless_green(&green(), || {
            outcome = exercise.go_through();
            outcome.is_ok()
        });
        outcome
    });
    let faults: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

impl Exercise {
    fn commands(&self) -> impl Iterator<Item = &'static str> {
        let mistakes = self.mistakes.iter().flat_map(|(commands, _)| *commands);
        let all = self.setup.iter().chain(mistakes).chain(self.afresh).chain(self.solution);
        let all = all.filter_map(|command| command.split(" ^C").next());
        all.chain(["check", "cleanup", "-- status"])
    }

    fn go_through(&self) -> Result<(), String> {
        let reader = Reader::new(self.page);
        let check = format!("check {}", &self.page[..2]);
        for command in self.setup {
            reader.succeeds(command)?;
        }
        reader.is_told(&check, self.at_first)?;
        for (commands, words) in self.mistakes {
            for command in *commands {
                reader.types(command);
            }
            reader.is_told(&check, words)?;
        }
        if reader.progress().is_some() {
            return Err(format!("{}: noted before it is done", self.page));
        }
        for command in self.afresh.iter().chain(self.solution) {
            reader.succeeds(command)?;
        }
        for _ in 0..2 {
            reader.succeeds(&check)?;
        }
        let noted = reader.progress().unwrap_or_default();
        if noted != format!("{}\n", self.page) {
            return Err(format!("{}: the progress is {noted:?}", self.page));
        }
        for command in ["cleanup", "LAB_NAME=alice cleanup"] {
            reader.succeeds(command)?;
        }
        let left = reader.types("-- status");
        match left.ends_with("No queues yet.\n") {
            true => Ok(()),
            false => Err(format!("{}: after the cleanup there is\n{left}", self.page)),
        }
    }
}

/// A reader with a local cloud and a folder of their own.
struct Reader {
    cloud: LocalCloud,
    folder: PathBuf,
}

impl Reader {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for what the programs write");
        let options =
            Options { pace: Pace::Patient(Duration::from_millis(200)), ..Options::default() };
        let cloud = LocalCloud::start(options).expect("the local cloud starts");
        Self { cloud, folder }
    }

    /// Runs the command and returns its output. With `^C 3` at its end, it is interrupted after three lines.
    fn types(&self, command: &str) -> String {
        let (command, lines) = command.split_once(" ^C ").unwrap_or((command, ""));
        session::run(&self.cloud, &in_full(command), &self.folder, lines.parse().ok())
    }

    fn succeeds(&self, command: &str) -> Result<String, String> {
        let printed = self.types(command);
        match printed.contains("(exit code") {
            true => Err(format!("{command} failed:\n{printed}")),
            false => Ok(printed),
        }
    }

    /// The check fails with these words and the page's hint.
    fn is_told(&self, check: &str, words: &str) -> Result<(), String> {
        let printed = self.types(check);
        for part in ["Not yet: ", words, "The page's hint: ", "(exit code 1)\n"] {
            if !printed.contains(part) {
                return Err(format!("{check} doesn't say `{part}`:\n{printed}"));
            }
        }
        Ok(())
    }

    fn progress(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("progress.txt")).ok()
    }
}

/// `cargo run --bin send -- --count 3` for `send --count 3`, `cargo run -- status` for `-- status`.
fn in_full(command: &str) -> String {
    let (variables, command) = match command.split_once(' ') {
        Some((variable, rest)) if variable.starts_with("LAB_") => (format!("{variable} "), rest),
        _ => (String::new(), command),
    };
    match command.split_once(' ') {
        Some(("--", arguments)) => format!("{variables}cargo run -- {arguments}"),
        Some((program, arguments)) => {
            format!("{variables}cargo run --bin {program} -- {arguments}")
        }
        None => format!("{variables}cargo run --bin {command}"),
    }
}

#[test]
fn the_first_page_wants_a_second_cloud() {
    let reader = Reader::new("01-whoami");
    let told = |elsewhere: &str, words: &str| {
        let command = format!("AWS_ENDPOINT_URL={elsewhere} cargo run --bin check -- 01");
        let printed = session::run(&reader.cloud, &command, &reader.folder, None);
        assert!(printed.contains(words) && printed.contains("(exit code 1)"), "{printed}");
    };
    told("http://127.0.0.1:4566", "AWS_ENDPOINT_URL must stand before this command, too");
    told("http://127.0.0.1:9", "no local cloud at 127.0.0.1:9");
    let printed = reader.types("check 01");
    assert!(printed.contains("Done: ") && !printed.contains("(exit code"), "{printed}");
}

#[test]
fn a_page_has_several_names() {
    let reader = Reader::new("names");
    for name in ["5", "05", "visibility", "05-visibility"] {
        reader.types("create");
        let printed = reader.types(&format!("check {name}"));
        assert!(printed.contains("hides a received message for 30 s"), "{name}: {printed}");
    }
    let printed = reader.types("check 30");
    assert!(
        printed.contains("there is no exercise 30") && printed.contains("(exit code 1)"),
        "{printed}"
    );
}

#[test]
fn without_a_page_all_are_listed_with_their_state() {
    let reader = Reader::new("list");
    fs::write(reader.folder.join("progress.txt"), "03-send\n04-receive\n").expect("a file");
    let printed = reader.types("check");
    let done = printed.lines().filter(|line| line.starts_with("done"));
    let done: Vec<_> = done.filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(done, ["03-send", "04-receive"], "{printed}");
    assert!(PAGES.iter().all(|page| printed.contains(page)), "{printed}");
    assert!(printed.contains("Receiving and deleting"), "{printed}");
}

#[test]
fn each_exercise_of_the_book_has_a_check_a_hint_and_the_tested_solution() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book");
    let names =
        fs::read_dir(&book).expect("the book").map(|entry| entry.expect("a page").file_name());
    let names: BTreeSet<String> = names.filter_map(|name| name.into_string().ok()).collect();
    let mut with_exercise = Vec::new();
    let mut faults = Vec::new();
    for page in names.iter().filter_map(|name| name.strip_suffix(".md")) {
        let text = fs::read_to_string(book.join(format!("{page}.md"))).expect("a page");
        let Some((_, exercise)) = text.split_once("\n## Exercise\n") else {
            continue;
        };
        with_exercise.push(page.to_owned());
        let (exercise, _) = exercise.split_once("\n## ").unwrap_or((exercise, ""));
        let exercise = with_sessions(exercise, &book);
        let check = format!("cargo run --bin check -- {}` says whether it is done", &page[..2]);
        let solution = EXERCISES
            .iter()
            .find(|exercise| exercise.page == page)
            .map_or(&[][..], |exercise| exercise.solution);
        let solution = solution.iter().filter_map(|command| command.split(" ^C").next());
        let solution = solution.map(in_full);
        for part in [check, "<summary>Hint</summary>".to_owned()].into_iter().chain(solution) {
            if !exercise.contains(&part) {
                faults.push(format!("book/{page}.md: nothing of `{part}` in its exercise"));
            }
        }
    }
    let mut checked: BTreeSet<_> = EXERCISES.iter().map(|exercise| exercise.page).collect();
    checked.insert("01-whoami");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(with_exercise, PAGES);
    assert_eq!(checked, BTreeSet::from(PAGES));
}

/// The exercise with the sessions that it includes.
fn with_sessions(exercise: &str, book: &Path) -> String {
    let mut text = exercise.to_owned();
    for include in exercise.split("{{#include ").skip(1) {
        let file = include.split(['}', ':']).next().unwrap_or_default();
        text += &fs::read_to_string(book.join(file)).expect("an included file");
    }
    text
}
