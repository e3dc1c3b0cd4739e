//! Holds the book to what must be true besides its programs: the guards of build.rs hold, links lead somewhere, names
//! agree, numbers have a source, and every difference of the local cloud from AWS is told.

#[allow(dead_code, reason = "a test needs only the guards")]
#[path = "../build.rs"]
mod build;

use snippets::quotas;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The chapter that the guards' tests break copies of.
const CHAPTER: &str = "book/03-send.md";

/// Adds lines to a copy of a chapter, in a copy of the book of this test's own.
struct Broken {
    root: PathBuf,
    /// The last line of the chapter as it was.
    last: usize,
    blocks: Vec<build::Block>,
    faults: Vec<String>,
}

impl Broken {
    fn with(test: &str, lines: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        for folder in ["book", "snippets", "templates"] {
            copy(&Path::new(ROOT).join(folder), &root.join(folder));
        }
        let chapter = read(CHAPTER);
        let last = chapter.lines().count();
        fs::write(root.join(CHAPTER), chapter + lines).expect("the copy can be written");
        let (blocks, mut faults) = build::read_book(&root).expect("the copy can be read");
        // Other pages include what isn't copied.
        faults.retain(|fault| fault.starts_with(CHAPTER));
        Self {
            root,
            last,
            blocks,
            faults,
        }
    }

    /// The one fault must be this, `line` lines after the chapter's old end.
    fn stops_the_build(&self, line: usize, fault: &str) {
        assert_eq!(
            self.faults,
            [format!("{CHAPTER}:{}: {fault}", self.last + line)]
        );
    }
}

#[test]
fn a_missing_file_stops_the_build() {
    Broken::with(
        "missing-file",
        "\n```rust\n{{#rustdoc_include ../snippets/src/bin/sned.rs}}\n```\n",
    )
    .stops_the_build(3, "no file snippets/src/bin/sned.rs");
}

#[test]
fn a_missing_anchor_stops_the_build() {
    Broken::with(
        "missing-anchor",
        "\n```rust\n{{#rustdoc_include ../snippets/src/bin/send.rs:sned}}\n```\n",
    )
    .stops_the_build(
        3,
        "no anchor `sned`, or no end of it, in snippets/src/bin/send.rs",
    );
}

#[test]
fn a_missing_anchor_in_a_sentence_stops_the_build() {
    Broken::with(
        "missing-number",
        "\nAt most {{#include quotas.html:nothing}} a call.\n",
    )
    .stops_the_build(
        2,
        "no anchor `nothing`, or no end of it, in book/quotas.html",
    );
}

#[test]
fn a_missing_session_stops_the_build() {
    Broken::with(
        "missing-part",
        "\n```console\n{{#include transcripts/nothing.txt:part}}\n```\n",
    )
    .stops_the_build(3, "no file book/transcripts/nothing.txt");
}

#[test]
fn a_missing_template_stops_the_build() {
    Broken::with("missing-template", "\nSee `templates/nothing.yaml`.\n")
        .stops_the_build(2, "no template `templates/nothing.yaml`");
    Broken::with("missing-skeptic-template", "\n```rust,skt-nothing\n```\n")
        .stops_the_build(2, "no template `nothing`: a block is a whole program");
}

#[test]
fn an_ignored_block_stops_the_build() {
    Broken::with("ignore", "\n> ~~~rust,ignore\n> fn main() {}\n> ~~~\n")
        .stops_the_build(2, "`ignore` hides a block from the tests: let it run");
}

#[test]
fn a_block_that_is_not_run_needs_a_reason() {
    let block = "```rust,no_run\nfn main() {}\n```\n";
    Broken::with("no-reason", &format!("\nA block.\n\n{block}\nAnother paragraph.\n")).stops_the_build(
        4,
        "`no_run` needs its reason in the paragraph before or after the block, with the words \"not run here\"",
    );
    for (test, text) in [
        (
            "reason-before",
            format!("\nIt is not run\nhere: it has no end.\n\n{block}\nMore.\n"),
        ),
        (
            "reason-after",
            format!("\nMore.\n\n{block}\nIt has no end and is not run here.\n"),
        ),
    ] {
        assert_eq!(Broken::with(test, &text).faults, [""; 0]);
    }
    let far = format!("\nOther things are not run here.\n\nA block.\n\n{block}\n");
    assert_eq!(Broken::with("reason-far", &far).faults.len(), 1);
}

#[test]
fn all_faults_are_reported_at_once() {
    let broken = Broken::with(
        "two",
        "\n{{#include a.txt}} {{#include b.txt}}\n{{#include c.txt}}\n",
    );
    let lines = |fault: &String| fault.split(':').nth(1).map(str::to_owned);
    let at = |line: usize| Some((broken.last + line).to_string());
    let found: Vec<_> = broken.faults.iter().map(lines).collect();
    assert_eq!(found, [at(2), at(2), at(3)]);
}

#[test]
fn a_part_of_a_program_is_tested_as_the_whole() {
    let part = "\n```rust\n{{#rustdoc_include ../snippets/src/bin/send.rs:send}}\n```\n";
    let broken = Broken::with("whole", part);
    let block = broken
        .blocks
        .iter()
        .find(|block| block.line == broken.last + 2);
    let block = block.expect("the added block");
    assert!(block.text.contains(&read("snippets/src/bin/send.rs")));
}

#[test]
fn a_failing_block_is_a_failing_test_with_its_chapter_heading_and_line() {
    let program = "fn main() { assert_eq!(1, 2) }";
    let lines = format!("\n## The `sum` is wrong {{#sum}}\n\n```rust\n{program}\n```\n");
    let broken = Broken::with("failing", &lines);
    let files =
        build::write_blocks(&broken.root, &broken.blocks).expect("the blocks can be written");
    for (name, value) in [
        ("CARGO_MANIFEST_DIR", ROOT.as_ref()),
        ("OUT_DIR", broken.root.as_path()),
        ("TARGET", env!("TARGET").as_ref()),
    ] {
        std::env::set_var(name, value);
    }
    skeptic::generate_doc_tests(&files);
    let tests = fs::read_to_string(broken.root.join("skeptic-tests.rs")).expect("skeptic's tests");
    let name = format!("fn send_sect_the_sum_is_wrong_line_{}()", broken.last + 4);
    let test = tests.split("#[test]").find(|test| test.contains(&name));
    assert!(test.expect("a test of that name").contains(program));

    let run = || skeptic::rt::run_test(ROOT, env!("OUT_DIR"), env!("TARGET"), program);
    assert!(panic::catch_unwind(run).is_err(), "the block passes");
}

#[test]
fn every_page_is_in_the_summary_and_every_entry_has_a_page() {
    let listed: Vec<String> = links("book/SUMMARY.md")
        .into_iter()
        .map(|link| link.target)
        .collect();
    let unique = BTreeSet::from_iter(listed.iter().cloned());
    assert_eq!(
        listed.len(),
        unique.len(),
        "a page is listed twice: {listed:?}"
    );
    let nested: Vec<_> = listed.iter().filter(|page| page.contains('/')).collect();
    assert!(
        nested.is_empty(),
        "build.rs reads the pages directly under book/: {nested:?}"
    );
    let pages = files("book", "md")
        .into_iter()
        .filter(|page| page != "book/SUMMARY.md");
    let pages = BTreeSet::from_iter(pages.map(|page| page.trim_start_matches("book/").to_owned()));
    assert_eq!(unique, pages);
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let mut faults = Vec::new();
    for page in files("book", "md") {
        for link in links(&page) {
            if ["http://", "https://", "mailto:"]
                .iter()
                .any(|scheme| link.target.starts_with(scheme))
            {
                continue;
            }
            let (path, id) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let target = match path {
                "" => page.clone(),
                path => format!("book/{path}"),
            };
            if path.contains("..") || !Path::new(ROOT).join(&target).is_file() {
                faults.push(format!("{page}:{}: no page {path}", link.line));
            } else if !id.is_empty() && !ids(&target).contains(id) {
                faults.push(format!(
                    "{page}:{}: no heading #{id} in {target}",
                    link.line
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let loads = [
        "src=\"http",
        "src='http",
        "src=\"//",
        "](http",
        "<link",
        "url(http",
        "url(\"http",
        "url('http",
        "@import",
        "import(",
        "from \"http",
        "fetch(\"http",
        "<iframe",
    ];
    let mut faults = Vec::new();
    for kind in ["md", "html", "css", "js", "svg", "hbs"] {
        for file in files("book", kind) {
            for (i, line) in read(&file).lines().enumerate() {
                let load = loads.iter().find(|load| match **load {
                    // A link is followed by the reader; an image is loaded.
                    "](http" => line.contains("![") && line.contains(**load),
                    load => line.contains(load),
                });
                faults.extend(load.map(|load| format!("{file}:{}: {load}", i + 1)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_page_its_program_and_its_session_share_a_name() {
    let pages = files("book", "md");
    let programs = programs();
    let mut faults = Vec::new();
    for page in pages.iter().filter(|page| {
        page["book/".len()..].starts_with(|c: char| c.is_ascii_digit())
            && !page.starts_with("book/00")
    }) {
        let program = name(page);
        // Lambda runs a function, the reader builds it.
        let commands = ["run", "build"].map(|verb| format!("cargo {verb} --bin {program}"));
        let session = format!("book/transcripts/{program}.txt");
        if !Path::new(ROOT).join(&session).is_file() {
            faults.push(format!("{page}: no session {session}"));
        }
        if !programs.contains_key(&program) {
            faults.push(format!("{page}: no program {program}.rs"));
        }
        if !read(page)
            .lines()
            .take(8)
            .any(|line| commands.iter().any(|command| line.contains(command)))
        {
            faults.push(format!(
                "{page}:1: the first lines don't give the command `{}`",
                commands[0]
            ));
        }
    }
    for (program, file) in &programs {
        let text = read(file);
        let package = file.split("/src/").next().unwrap_or_default();
        let manifest = read(&format!("{package}/Cargo.toml"));
        let rest = if text.contains("#[cfg(test)]") {
            ""
        } else {
            ", test = false"
        };
        if !manifest.contains(&format!("{{ name = \"{program}\"{rest} }}")) {
            faults.push(format!(
                "{package}/Cargo.toml: {program} is not in the list of programs"
            ));
        }
        let about = text
            .lines()
            .take_while(|line| line.starts_with("//"))
            .collect::<Vec<_>>()
            .join(" ");
        match pages
            .iter()
            .find(|page| about.contains(&format!("`{page}`")))
        {
            None => faults.push(format!(
                "{file}:1: the first lines don't name the program's page"
            )),
            Some(page) if !words(&read(page)).contains(program) => {
                faults.push(format!("{page}: nothing of its program {program}"));
            }
            Some(_) => {}
        }
    }
    let book: String = pages.iter().map(|page| read(page)).collect();
    for session in files("book/transcripts", "txt") {
        let file = session.trim_start_matches("book/");
        if !book.contains(&format!("{{{{#include {file}")) {
            faults.push(format!("{session}: shown on no page"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_number_has_a_value_a_source_and_a_date() {
    let table = read("book/quotas.html");
    let rows: Vec<&str> = table.split("<tr id=\"").skip(1).collect();
    assert!(!rows.is_empty(), "a table of quotas");
    for row in rows {
        let (id, row) = row.split_once('"').expect("an id in quotation marks");
        let row = row.split("</tr>").next().unwrap_or_default();
        let cells: Vec<&str> = row
            .split("<td>")
            .skip(1)
            .map(|cell| cell.trim().trim_end_matches("</td>"))
            .collect();
        let [what, value, source, date] = cells[..] else {
            panic!("{id}: what, value, source and date, not {cells:?}");
        };
        let value: Vec<&str> = value.trim().lines().collect();
        let [start, value, end] = value[..] else {
            panic!(
                "{id}: the value stands on a line of its own between its anchors, not {value:?}"
            );
        };
        assert_eq!(start, format!("<!-- ANCHOR: {id} -->"));
        assert_eq!(end, format!("<!-- ANCHOR_END: {id} -->"));
        assert!(
            !what.is_empty() && !value.trim().is_empty(),
            "{id}: an empty cell"
        );
        assert!(
            source.starts_with("<a href=\"https://"),
            "{id}: no source: {source}"
        );
        let (month, year) = date.rsplit_once(' ').unwrap_or_default();
        assert!(
            !month.is_empty() && year.starts_with("20"),
            "{id}: no date: {date}"
        );
    }
}

#[test]
fn the_cost_calculator_reads_its_numbers_from_the_table() {
    for (id, number) in [
        ("price-standard", 0.4),
        ("price-unit", 64.0 * 1024.0),
        ("batch-size", 1024.0 * 1024.0),
        ("shard-in-records", 1000.0),
    ] {
        assert_eq!(quotas::number(id), Ok(number));
    }
    let missing = quotas::number("nothing").expect_err("there is no such row");
    assert_eq!(missing, "book/quotas.html has no row `nothing`");
    let words = quotas::number("reshard-up").expect_err("its value is a word");
    assert_eq!(
        words,
        "book/quotas.html: `double` of `reshard-up` is no number"
    );
}

/// The words of English prose that an adult reads in a minute: <https://doi.org/10.1016/j.jml.2019.104047>.
const WORDS_A_MINUTE: f64 = 238.0;
/// The lines of a listing or a session that a reader reads in a minute. This one and the next two are guesses.
const LINES_A_MINUTE: f64 = 25.0;
/// To type a command and have cargo start it.
const MINUTES_A_COMMAND: f64 = 0.25;
const MINUTES_AN_EXERCISE: f64 = 5.0;

#[test]
fn the_minutes_of_each_page_are_what_its_words_and_its_sessions_take() {
    let mut faults = Vec::new();
    for page in numbered_pages() {
        let (told, reckoned) = (minutes(&page), reckoned(&page));
        let factor = (told / reckoned).max(reckoned / told);
        if factor > 1.5 || told % 5.0 != 0.0 {
            faults.push(format!(
                "{page} says {told} minutes; it takes {reckoned:.1}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Their seconds are compared with nothing: on a busy machine that would fail for no reason. The transcripts' test
/// measures them anew when it is asked to.
#[test]
fn every_session_has_been_measured() {
    let sessions = files("book/transcripts", "txt").into_iter();
    let sessions = BTreeSet::from_iter(sessions.map(|session| name(&session)));
    let measured: BTreeSet<String> = waits().into_keys().collect();
    let different: Vec<_> = sessions.symmetric_difference(&measured).collect();
    assert!(
        different.is_empty(),
        "`TIMES=overwrite cargo test --test transcripts` writes book/times.txt anew: {different:?}"
    );
}

#[test]
fn the_introduction_adds_the_times_of_the_pages_up() {
    let introduction = "book/00-introduction.md";
    let told = |start, end| -> f64 {
        let text = read(introduction);
        let (_, rest) = text.split_once(start).expect(start);
        let (number, _) = rest.split_once(end).expect(end);
        number.parse().expect(start)
    };
    let pages = numbered_pages();
    let hours: f64 = pages.iter().map(|page| minutes(page)).sum::<f64>() / 60.0;
    let told_hours = told("together take about ", " hours");
    assert!(
        (hours - told_hours).abs() <= 0.5,
        "{introduction} says {told_hours} hours, the pages say {hours:.2}"
    );
    let first: f64 = pages[..4].iter().map(|page| minutes(page)).sum();
    assert_eq!(
        told("*Receiving and deleting* take ", " minutes"),
        first,
        "{introduction}: the first four pages"
    );
    for number in [
        format!("{WORDS_A_MINUTE} words"),
        format!("{LINES_A_MINUTE} lines"),
        format!("{} seconds for each command", MINUTES_A_COMMAND * 60.0),
        format!("{MINUTES_AN_EXERCISE} minutes, hint"),
    ] {
        assert!(
            read(introduction).contains(&number),
            "{introduction}: {number}"
        );
    }
}

/// A schedule's rows give a page all its minutes, or those without its exercise.
#[test]
fn the_schedules_add_the_times_of_their_pages_up() {
    let page = "book/teaching.md";
    let text = read(page);
    for length in [60.0, 90.0, 180.0] {
        let (_, rest) = text
            .split_once(&format!("## {length} minutes\n"))
            .expect(page);
        let rows = rest.split("\n## ").next().unwrap_or_default().lines();
        let mut at = 0.0;
        for row in rows.filter(|row| row.starts_with("| ") && !row.starts_with("| At")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, told, minutes, what, _] = cells[..] else {
                panic!("{page}: {row}");
            };
            let (hours, rest) = told.split_once(':').expect(row);
            let number = |text: &str| text.parse::<f64>().expect(row);
            assert_eq!(number(hours) * 60.0 + number(rest), at, "{page}: {row}");
            if let Some((_, link)) = what.split_once("](") {
                let (file, rest) = link.split_once(')').expect(row);
                let exercise = match rest {
                    ", without its exercise" => MINUTES_AN_EXERCISE,
                    _ => 0.0,
                };
                if file != "00-introduction.md" {
                    let of_page = crate::minutes(&format!("book/{file}")) - exercise;
                    assert_eq!(number(minutes), of_page, "{page}: {row}");
                }
            }
            at += number(minutes);
        }
        assert_eq!(at, length, "{page}: the rows of {length} minutes");
    }
}

#[test]
fn every_page_ends_with_notes_for_its_speaker() {
    const BEGIN: &str = "<details class=\"notes\">\n<summary>Speaker notes</summary>\n\n";
    for page in numbered_pages() {
        let text = read(&page);
        let (_, notes) = text.split_once(BEGIN).expect(&page);
        let notes = notes.strip_suffix("\n\n</details>\n").expect(&page);
        let lines: Vec<&str> = notes.lines().collect();
        let [point, show, ask, stumble, time] = lines[..] else {
            panic!("{page}: five lines of notes");
        };
        let kinds = ["Point", "Show", "Ask", "Stumble"];
        for (line, kind) in [point, show, ask, stumble].iter().zip(kinds) {
            assert!(
                line.starts_with(&format!("- **{kind}:** ")),
                "{page}: {line}"
            );
        }
        let told = minutes(&page);
        let parts = time.strip_prefix(&format!("- **{told} minutes:** "));
        let parts = parts.unwrap_or_else(|| panic!("{page}: of {told} minutes: {time}"));
        let words = parts.split_whitespace();
        let sum: f64 = words.filter_map(|word| word.parse::<f64>().ok()).sum();
        assert_eq!(sum, told, "{page}: {time}");
    }
}

#[test]
fn every_command_of_a_page_names_a_program() {
    let programs = programs();
    let desk = read("lab/src/main.rs");
    let mut faults = Vec::new();
    for page in files("book", "md") {
        let text = read(&page);
        let named = |start: &str| -> Vec<String> {
            let names = text.split(start).skip(1);
            let end = |c: char| !(c.is_alphanumeric() || c == '-');
            names
                .map(|rest| rest.split(end).next().unwrap_or_default().to_owned())
                .collect()
        };
        let mut programs_named = named("cargo run --bin ");
        programs_named.extend(named("cargo build --bin "));
        programs_named.retain(|program| !programs.contains_key(program));
        let mut desk_named = named("cargo run -- ");
        desk_named.retain(|command| {
            let variant = command.get(..1).unwrap_or_default().to_uppercase() + &command[1..];
            !command.starts_with('-') && !desk.contains(&format!("\n    {variant}"))
        });
        for command in programs_named.iter().chain(&desk_named) {
            faults.push(format!("{page}: no command {command}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_questions_name_a_page_and_a_command_and_leave_no_mistake_out() {
    let page = "book/questions.md";
    let text = read(page);
    for row in text.lines().filter(|row| row.starts_with("| ")) {
        let is_answered = row.contains(".md") && row.contains("cargo run ");
        assert!(
            row.starts_with("| The question |") || is_answered,
            "{page}: {row}"
        );
    }
    let summary = read("book/summary.md");
    let (_, mistakes) = summary.split_once("## Twelve mistakes").expect("the list");
    let mistakes = mistakes.lines().filter(|line| line.contains(". **"));
    let mut count = 0;
    for mistake in mistakes {
        let (_, link) = mistake.split_once("](").expect(mistake);
        let experiments = link.split(['#', ')']).next().unwrap_or_default();
        assert!(text.contains(experiments), "{page}: nothing for: {mistake}");
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn the_cost_of_a_class_is_reckoned_from_the_table_of_prices() {
    const LEARNERS: f64 = 30.0;
    const MILLION: f64 = 1e6;
    let number = |id| quotas::number(id).expect(id);
    let messages = LEARNERS * 10.0 * 1800.0;
    let queues = 3.0 * messages / MILLION * number("price-standard");
    let shard = number("price-shard-hour");
    let streams = LEARNERS * 3.0 * shard + messages / MILLION * number("price-put-unit");
    let calls = LEARNERS * 1000.0;
    let functions = calls / MILLION * number("price-lambda-calls")
        + calls * 0.1 * 128.0 / 1024.0 * number("price-lambda-time");
    let requests = LEARNERS * 730.0 * 3600.0 / 5.0;
    let room = read("book/room.md");
    for (what, dollars) in [
        ("| Queues |", queues),
        ("| Streams |", streams),
        ("| Functions |", functions),
        ("| Together |", queues + streams + functions),
        ("| thirty streams", LEARNERS * 730.0 * shard),
        (
            "| thirty `receive`",
            requests / MILLION * number("price-standard"),
        ),
    ] {
        let row = room
            .lines()
            .find(|line| line.starts_with(what))
            .expect(what);
        let dollars = format!("| ${dollars:.2} |");
        assert!(row.ends_with(&dollars), "book/room.md: {dollars} {row}");
    }
}

/// The statements of the policy on this page: their actions, and the resources that they allow them for.
fn policy(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let text = read(page);
    let (_, rest) = text.split_once("```json\n").expect(page);
    let json = rest.split("```").next().unwrap_or_default();
    let policy: serde_json::Value = serde_json::from_str(json).expect(page);
    let texts = |value: &serde_json::Value| match value.as_array() {
        Some(values) => values
            .iter()
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect(),
        None => vec![value.as_str().expect("a text").to_owned()],
    };
    let statements = policy["Statement"].as_array().expect("statements");
    let parts = |statement| {
        let statement: &serde_json::Value = statement;
        (texts(&statement["Action"]), texts(&statement["Resource"]))
    };
    statements.iter().map(parts).collect()
}

#[test]
fn the_policy_of_a_class_is_that_of_a_reader_for_names_with_a_prefix() {
    let actions = |page| -> BTreeSet<String> {
        let statements = policy(page).into_iter();
        statements.flat_map(|(actions, _)| actions).collect()
    };
    let page = "book/room.md";
    assert_eq!(actions(page), actions("book/01-whoami.md"));

    let allowed: Vec<String> = policy(page)
        .into_iter()
        .flat_map(|(_, resources)| resources)
        .filter(|resource| resource != "*")
        .collect();
    let is_allowed = |arn: &str| allowed.iter().any(|pattern| matches(pattern, arn));
    for (kind, names) in [
        (
            "cloudformation:us-east-1:1:stack/",
            &[
                "SQSStandardQueue/1",
                "SQSFIFOQueue/1",
                "KinesisStream/1",
                "SQSFunction/1",
                "KinesisFunction/1",
                "experiment-poison-KXWQBA/1",
            ][..],
        ),
        (
            "kinesis:us-east-1:1:stream/",
            &[
                "KinesisStream",
                "experiment-fan-out-KXWQBA",
                "experiment-fan-out-KXWQBA/consumer/bills:1",
            ],
        ),
        (
            "lambda:us-east-1:1:function:",
            &["SQSFunction", "KinesisFunction", "experiment-poison-KXWQBA"],
        ),
        (
            "logs:us-east-1:1:log-group:/aws/lambda/",
            &[
                "SQSFunction",
                "KinesisFunction:*",
                "experiment-poison-KXWQBA",
            ],
        ),
        (
            "sqs:us-east-1:1:",
            &[
                "StandardQueue",
                "FIFOQueue.fifo",
                "experiment-order-KXWQBA",
                "experiment-groups-KXWQBA.fifo",
            ],
        ),
        (
            "iam::1:role/",
            &[
                "SQSFunction-Role-1",
                "KinesisFunction-Role-1",
                "experiment-poison-KXWQBA-Role-1",
            ],
        ),
    ] {
        for name in names {
            let [alices, nobodys, strange] =
                ["alice-", "", "alice-x"].map(|prefix| format!("arn:aws:{kind}{prefix}{name}"));
            assert!(is_allowed(&alices), "{page} forbids {alices}");
            assert!(!is_allowed(&nobodys), "{page} allows {nobodys}");
            assert!(!is_allowed(&strange), "{page} allows {strange}");
        }
    }
}

/// Whether a pattern of a policy, in which `*` stands for anything, is the whole of this text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            tails.any(|tail| matches(rest, tail))
        }),
    }
}

/// `class` must know each thing that the programs of a page make.
#[test]
fn a_class_is_judged_by_what_the_programs_make() {
    let table = read("snippets/deployment/src/bin/class.rs");
    let mut faults = Vec::new();
    for (program, file) in programs() {
        let text = read(&file);
        let about: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//"))
            .collect();
        let about = about.join(" ");
        let Some((_, page)) = about.split_once("`book/") else {
            panic!("{file}: no page");
        };
        let page = page.split(".md").next().unwrap_or_default();
        for made in [
            "scratch_queue(",
            "scratch_fifo_queue(",
            "scratch_stream(",
            "scratch_name(",
            "Scratch::create(",
            "Scratch::powerless(",
        ] {
            for call in text.split(made).skip(1) {
                let arguments = call.split(')').next().unwrap_or_default();
                let Some(name) = arguments.split('"').nth(1) else {
                    continue;
                };
                let row = table
                    .lines()
                    .find(|line| line.contains(&format!("(\"{page}\"")));
                if !row.is_some_and(|row| row.contains(&format!("\"{name}\""))) {
                    faults.push(format!("class.rs: {page} lacks {name} of {program}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The pages with a program, in the order of the book.
fn numbered_pages() -> Vec<String> {
    let mut pages = files("book", "md");
    pages.retain(|page| {
        page["book/".len()..].starts_with(|c: char| c.is_numeric())
            && page != "book/00-introduction.md"
    });
    pages
}

/// The minutes that a page says it takes.
fn minutes(page: &str) -> f64 {
    let text = read(page);
    let (_, time) = text.split_once("This page takes ").expect(page);
    let (minutes, _) = time.split_once(" minutes").expect(page);
    minutes.parse().expect(page)
}

/// The minutes that a page takes. What is folded away is not counted: a hint and a solution are part of the exercise.
fn reckoned(page: &str) -> f64 {
    let text = read(page);
    let (mut words, mut lines, mut commands) = (0.0, 0.0, 0.0);
    let (mut is_folded, mut is_code) = (false, false);
    for line in text.lines() {
        is_folded |= line.starts_with("<details");
        if !is_folded {
            let shown = line.replace("rustdoc_include", "include");
            let shown = build::fill_in(Path::new(ROOT), &shown, &mut |fault| panic!("{fault}"));
            for line in shown.lines() {
                if line.starts_with("```") {
                    is_code = !is_code;
                } else if is_code {
                    lines += f64::from(!line.is_empty());
                    commands += f64::from(line.starts_with("$ "));
                } else {
                    let line = line.trim_start_matches("> ");
                    let without_tags = line.split(['<', '>']).step_by(2);
                    words += without_tags
                        .map(|text| text.split_whitespace().count() as f64)
                        .sum::<f64>();
                }
            }
        }
        is_folded &= line != "</details>";
    }
    let sessions: BTreeSet<&str> = text
        .split("{{#include transcripts/")
        .skip(1)
        .filter_map(|session| session.split(".txt").next())
        .collect();
    let waits = waits();
    let seconds: f64 = sessions.iter().map(|session| waits[*session]).sum();
    let exercise = f64::from(text.contains("## Exercise")) * MINUTES_AN_EXERCISE;
    words / WORDS_A_MINUTE
        + lines / LINES_A_MINUTE
        + commands * MINUTES_A_COMMAND
        + seconds / 60.0
        + exercise
}

/// The seconds that a reader waits for each session.
fn waits() -> BTreeMap<String, f64> {
    let times = read("book/times.txt");
    let time = |line: &str| {
        let (session, seconds) = line.split_once(' ')?;
        Some((session.to_owned(), seconds.parse().ok()?))
    };
    let waits = times.lines().map(|line| time(line).expect(line));
    waits.collect()
}

#[test]
fn the_programs_call_nothing_that_the_listed_permissions_forbid() {
    let programs: String = PACKAGES
        .iter()
        .flat_map(|package| files(&format!("{package}/src"), "rs"))
        .map(|file| read(&file))
        .collect();
    let page = read("book/01-whoami.md");
    for (service, operations) in [
        ("sqs", &localcloud::sqs::OPERATIONS[..]),
        ("kinesis", &localcloud::kinesis::OPERATIONS),
        ("cloudformation", &localcloud::cloudformation::OPERATIONS),
        ("lambda", &localcloud::lambda::OPERATIONS),
        ("lambda", &localcloud::lambda::mapping::OPERATIONS),
        ("iam", &localcloud::iam::OPERATIONS),
        ("logs", &localcloud::logs::OPERATIONS),
    ] {
        for operation in operations {
            let action = match *operation {
                "Invoke" => "InvokeFunction",
                operation => operation.trim_end_matches("Batch"),
            };
            let permission = format!("\"{service}:{action}\"");
            let called = programs.contains(&format!(".{}(", method(operation)));
            assert!(
                !called || page.contains(&permission),
                "book/01-whoami.md lacks {permission}"
            );
        }
    }
}

/// `get_queue_url` for `GetQueueUrl`, as the SDK names it.
fn method(operation: &str) -> String {
    let mut name = String::new();
    for c in operation.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[test]
fn every_difference_from_aws_is_in_the_appendix() {
    let mut in_code = BTreeMap::new();
    for file in files("localcloud/src", "rs") {
        for line in read(&file).lines() {
            if let Some((_, difference)) = line.split_once("// Differs from AWS: ") {
                let id = difference.split(':').next().unwrap_or_default();
                in_code.insert(id.to_owned(), file.clone());
            }
        }
    }
    let page = read("book/differences.md");
    let in_book: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("### "))
        .map(|line| {
            let id = line
                .split_once("{#")
                .and_then(|(_, id)| id.strip_suffix('}'));
            id.unwrap_or_else(|| panic!("differences.md: no id: {line}"))
                .to_owned()
        })
        .collect();
    let untold: Vec<_> = in_code
        .iter()
        .filter(|(id, _)| !in_book.contains(*id))
        .collect();
    assert!(untold.is_empty(), "differences.md doesn't tell: {untold:?}");
    let gone: Vec<_> = in_book
        .iter()
        .filter(|id| !in_code.contains_key(*id))
        .collect();
    assert!(
        gone.is_empty(),
        "differences.md tells what no code marks: {gone:?}"
    );
}

/// A link of a page.
struct Link {
    line: usize,
    target: String,
}

/// The links and images of a page, outside of its code.
fn links(page: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, text) in prose(&read(page)) {
        for start in ["](", "]: ", "href=\"", "src=\""] {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at + start.len()..];
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '"'));
                let target = rest[..end.unwrap_or(rest.len())].to_owned();
                links.push(Link { line, target });
            }
        }
    }
    links
}

/// The lines of a page that are no code, numbered, without what stands between code marks.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fence = None;
    let mut prose = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let bare = line.trim_start_matches([' ', '>']);
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| bare.starts_with(mark));
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_none() { mark } else { None };
        } else if fence.is_none() {
            prose.push((i + 1, line.split('`').step_by(2).collect()));
        }
    }
    prose
}

/// The ids that a link to this page can name, as mdBook makes them.
fn ids(page: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let text = read(page).replace("{{#include quotas.html}}", &read("book/quotas.html"));
    let plain = text.replace('`', "");
    for (_, line) in prose(&plain) {
        if line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim();
            match heading.split_once(" {#") {
                Some((_, id)) => drop(ids.insert(id.trim_end_matches('}').to_owned())),
                None => drop(ids.insert(id(heading))),
            }
        }
        let explicit = line
            .split("id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        ids.extend(explicit.map(str::to_owned));
    }
    ids
}

fn id(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}

#[test]
fn the_appendix_lists_the_operations_of_the_lab() {
    let page = read("book/differences.md");
    for (service, operations) in [
        ("SQS", &localcloud::sqs::OPERATIONS[..]),
        ("Kinesis", &localcloud::kinesis::OPERATIONS),
        ("CloudFormation", &localcloud::cloudformation::OPERATIONS),
        ("Lambda", &localcloud::lambda::OPERATIONS),
        (
            "Event source mappings",
            &localcloud::lambda::mapping::OPERATIONS,
        ),
        ("IAM", &localcloud::iam::OPERATIONS),
        ("CloudWatch Logs", &localcloud::logs::OPERATIONS),
        ("STS", &localcloud::sts::OPERATIONS),
    ] {
        let row = format!("| {service} | {} |", operations.join(", "));
        assert!(page.contains(&row), "differences.md lacks the row: {row}");
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let between = |c: char| !(c.is_alphanumeric() || c == '-');
    text.split(between).map(str::to_owned).collect()
}

/// The programs by their names, each with its file.
fn programs() -> BTreeMap<String, String> {
    let of_packages = PACKAGES.map(|package| files(&format!("{package}/src/bin"), "rs"));
    let files = of_packages.into_iter().flatten();
    files.map(|file| (name(&file), file)).collect()
}

/// The packages of the programs.
const PACKAGES: [&str; 4] = [
    "snippets",
    "snippets/exercises",
    "snippets/functions",
    "snippets/deployment",
];

/// `send` for `book/03-send.md` and for `snippets/src/bin/send.rs`.
fn name(file: &str) -> String {
    let stem = Path::new(file)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    stem.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
        .to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The files of this kind in a folder of the project and below, as paths from its root.
fn files(folder: &str, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(ROOT).join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
    {
        let name = entry
            .expect("a file")
            .file_name()
            .into_string()
            .expect("a plain name");
        let file = format!("{folder}/{name}");
        if Path::new(ROOT).join(&file).is_dir() {
            found.extend(files(&file, kind));
        } else if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == kind)
        {
            found.push(file);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copy");
    for entry in fs::read_dir(from).expect("the folder to copy") {
        let entry = entry.expect("a file to copy");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
