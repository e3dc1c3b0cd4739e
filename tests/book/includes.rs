//! The guards of `build.rs` hold: what mdBook passes over in silence stops the build.

use crate::{build, copy, read, ROOT};
use std::path::{Path, PathBuf};
use std::{fs, panic};

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
