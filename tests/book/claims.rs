//! The ledger of claims, `book/claims.txt`: each sentence of a page that speaks of delivery, order, limits or errors
//! stands there beside what holds it. A page begins a line, a sentence is indented by two spaces, its evidence by four:
//!
//! ```text
//! 04-receive.md
//!   Receivers share a queue; each message is delivered at least once.
//!     assert two-receivers: assert_eq!(different
//!     page https://docs.aws.amazon.com/… 2026-11-25
//! ```
//!
//! | Evidence | What holds the sentence |
//! |---|---|
//! | `assert PROGRAM: TEXT` | an assertion of a program, which the tests of the blocks and sessions run |
//! | `shows PROGRAM: ANCHOR` | a listing: code that does what the sentence says, and is run |
//! | `session NAME: TEXT` | a line of a session, which the tests compare |
//! | `test FILE: NAME` | a test of the local cloud or of a program |
//! | `recorded ID` | a case of `localcloud/tests/recorded/`: what AWS once answered |
//! | `quota ID` | a row of the table of quotas, with its source and date |
//! | `page ADDRESS DATE` | a document, and when it was read |
//! | `follows TEXT` | nothing but logic: from another sentence of the page, which begins so and has evidence |
//! | `no claim: WHY` | what only sounds like one |
//!
//! A sentence is as its reader sees it, without marks of style, and a quota by its id in braces. The row of a table is one sentence.
//! Headings, questions, tasks, hints and speaker notes are not in it.

use crate::{build, files, programs, read, ROOT};
use std::collections::BTreeMap;
use std::path::Path;

const LEDGER: &str = "book/claims.txt";

/// Pages whose sentences are not in the ledger: they are about tools rather than services, or repeat other pages.
const NOT_COVERED: [&str; 10] = [
    "00-introduction.md",
    "01-whoami.md",
    "30-tour.md",
    "SUMMARY.md",
    "differences.md",
    "inside-a-stream.md",
    "lab.md",
    "quotas-and-prices.md",
    "room.md",
    "teaching.md",
];

/// What a sentence says that needs evidence.
const TRIGGERS: [&str; 41] = [
    "all failed",
    "all is done",
    "at least once",
    "at most",
    "at the most",
    "best-effort",
    "block",
    "came back",
    "come back",
    "comes back",
    "deliver",
    "denied",
    "duplicate",
    "error",
    "exactly once",
    "expire",
    "gets a",
    "gets nothing",
    "gets the",
    "guarantee",
    "hold up",
    "holds up",
    "in flight",
    "in order",
    "its order",
    "limit",
    "lose ",
    "loses",
    "lost",
    "nobody gets",
    "order in which",
    "order is",
    "out of order",
    "overtake",
    "promise",
    "refuse",
    "reorder",
    "the order of",
    "throttl",
    "twice",
    "up to ",
];

/// A line of a page or of the ledger: a sentence, or its evidence.
#[derive(Debug)]
struct Sentence {
    line: usize,
    text: String,
}

/// Whether a sentence, with its code marks, speaks of what needs evidence. What to watch in a figure does not.
fn needs_evidence(sentence: &str) -> bool {
    let words: String = sentence.split('`').step_by(2).collect();
    let words = words.to_lowercase();
    let is_told = !words.ends_with('?') && !words.starts_with("watch ");
    is_told && TRIGGERS.iter().any(|trigger| words.contains(trigger))
}

/// The sentences of a page, in its order and with their code marks.
fn sentences(page: &str) -> Vec<Sentence> {
    let (mut is_code, mut is_skipped, mut is_folded) = (false, false, false);
    let mut found = Vec::new();
    for (i, line) in page.lines().enumerate() {
        let bare = line.trim_start_matches([' ', '>']);
        is_code ^= bare.starts_with("```");
        if bare.starts_with('#') && !is_code {
            is_skipped = bare.starts_with("## Exercise");
        }
        if bare.starts_with("<summary>") {
            is_folded = bare.contains("Hint") || bare.contains("Speaker notes");
            is_skipped = false;
        }
        if bare.starts_with("</details>") {
            is_folded = false;
        }
        let is_prose = !bare.starts_with(['<', '#'])
            && !["```", "{{#", "[!", "|--"]
                .iter()
                .any(|start| bare.starts_with(start))
            && !bare.contains("This page takes");
        if is_code || is_skipped || is_folded || !is_prose {
            continue;
        }
        let is_head = page
            .lines()
            .nth(i + 1)
            .is_some_and(|next| next.starts_with("|--"));
        if is_head {
            continue;
        } else if let Some(row) = bare.strip_prefix("| ") {
            let text = plain(row.trim_end_matches([' ', '|']));
            found.push(Sentence { line: i + 1, text });
            continue;
        }
        let mut text = String::new();
        for word in plain(bare).split(' ') {
            let begins =
                word.starts_with(|c: char| c.is_uppercase() || "{(`".contains(c) || c.is_numeric());
            if text.trim_end_matches([')', '`']).ends_with(['.', '?', '!']) && begins {
                found.push(Sentence { line: i + 1, text });
                text = String::new();
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text += word;
        }
        if !text.is_empty() {
            found.push(Sentence { line: i + 1, text });
        }
    }
    found
}

/// What a reader sees of a line, with its code marks, and the ids of quotas in braces.
fn plain(line: &str) -> String {
    let line = match line.split_once(". ") {
        Some((ordinal, rest)) if ordinal.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => line.trim_start_matches("- "),
    };
    let line = line
        .replace("{{#include quotas.html:", "{")
        .replace("}}", "}");
    let (mut plain, mut rest) = (String::new(), line.as_str());
    while let Some(at) = rest.find(['<', ']']) {
        let (before, after) = rest.split_at(at);
        plain += before;
        let is_link = after.starts_with("](");
        let end = match is_link {
            true => after.find(')'),
            false => after.starts_with('<').then(|| after.find('>')).flatten(),
        };
        if let Some(start) = plain.rfind('[').filter(|_| is_link) {
            plain.remove(start);
        }
        rest = match end {
            Some(end) => &after[end + 1..],
            None => {
                plain += &after[..1];
                &after[1..]
            }
        };
    }
    plain += rest;
    plain.replace('*', "").trim().to_owned()
}

/// A row of the ledger.
struct Claim {
    page: String,
    sentence: Sentence,
    evidence: Vec<Sentence>,
}

fn ledger(text: &str) -> Vec<Claim> {
    let (mut claims, mut page) = (Vec::<Claim>::new(), "");
    for (i, line) in text.lines().enumerate() {
        let part = |text: &str| Sentence {
            line: i + 1,
            text: text.to_owned(),
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(evidence) = line.strip_prefix("    ") {
            let claim = claims.last_mut().expect("a sentence above its evidence");
            claim.evidence.push(part(evidence));
        } else if let Some(sentence) = line.strip_prefix("  ") {
            claims.push(Claim {
                page: page.to_owned(),
                sentence: part(sentence),
                evidence: Vec::new(),
            });
        } else {
            page = line;
        }
    }
    claims
}

/// What is wrong with the rows of a page, and with its sentences that have none.
fn faults(page: &str, text: &str, claims: &[Claim]) -> Vec<String> {
    let claims: Vec<&Claim> = claims.iter().filter(|claim| claim.page == page).collect();
    let sentences = sentences(text);
    let mut faults = Vec::new();
    for sentence in sentences
        .iter()
        .filter(|sentence| needs_evidence(&sentence.text))
    {
        let text = sentence.text.replace('`', "");
        if !claims.iter().any(|claim| claim.sentence.text == text) {
            let line = sentence.line;
            faults.push(format!(
                "book/{page}:{line}: what holds this? Name it in {LEDGER}: {text}"
            ));
        }
    }
    for claim in &claims {
        let line = claim.sentence.line;
        let text = &claim.sentence.text;
        if !sentences
            .iter()
            .any(|sentence| sentence.text.replace('`', "") == *text)
        {
            faults.push(format!(
                "{LEDGER}:{line}: book/{page} doesn't say this any more. Read its evidence again, then change both: {text}"
            ));
        }
        if claim.evidence.is_empty() {
            faults.push(format!("{LEDGER}:{line}: no evidence: {text}"));
        }
        for evidence in &claim.evidence {
            if let Err(what) = holds(&evidence.text, &claims) {
                faults.push(format!(
                    "{LEDGER}:{}: {what}: {}",
                    evidence.line, evidence.text
                ));
            }
        }
    }
    faults
}

/// Whether the evidence is there.
fn holds(evidence: &str, claims: &[&Claim]) -> Result<(), String> {
    let (kind, rest) = evidence.split_once(' ').unwrap_or((evidence, ""));
    let named = || rest.split_once(": ").ok_or("NAME: TEXT, please".to_owned());
    let has = |text: &str, what: &str| match text.contains(what) {
        true => Ok(()),
        false => Err("this is gone".to_owned()),
    };
    match kind {
        "assert" => {
            let (program, what) = named()?;
            let text = read(&source(program)?);
            let asserted: String = text
                .split("assert")
                .skip(1)
                .filter_map(|rest| rest.split(";\n").next())
                .map(|assertion| format!("assert{assertion}\n"))
                .collect();
            has(&asserted, what)
        }
        "shows" => {
            let (program, anchor) = named()?;
            let anchored = build::anchored(&read(&source(program)?), anchor).is_some();
            anchored.then_some(()).ok_or("no such anchor".to_owned())
        }
        "session" => {
            let (session, what) = named()?;
            let file = format!("book/transcripts/{session}.txt");
            if !Path::new(ROOT).join(&file).is_file() {
                return Err(format!("no session {session}"));
            }
            has(&read(&file), what)
        }
        "test" => {
            let (file, name) = named()?;
            if !Path::new(ROOT).join(file).is_file() {
                return Err(format!("no file {file}"));
            }
            has(&read(file), &format!("fn {name}("))
        }
        "recorded" => {
            let folder = "localcloud/tests/recorded";
            let cases = files(folder, "md").into_iter().map(|file| read(&file));
            let heading = format!("## {rest}");
            let is_case = |line: &str| line.split(" (").next() == Some(&heading);
            let is_there = cases.into_iter().any(|cases| cases.lines().any(is_case));
            is_there.then_some(()).ok_or("no such case".to_owned())
        }
        "quota" => has(&read("book/quotas.html"), &format!("<tr id=\"{rest}\">")),
        "page" => {
            let (address, date) = rest.split_once(' ').unwrap_or_default();
            let is_date = [7, 10].contains(&date.len()) && date.starts_with("20");
            let is_address = address.starts_with("https://");
            (is_date && is_address)
                .then_some(())
                .ok_or("ADDRESS DATE, please".to_owned())
        }
        "follows" => {
            let from = |claim: &&Claim| claim.sentence.text.starts_with(rest);
            let is_held = |claim: &&Claim| {
                !claim
                    .evidence
                    .iter()
                    .any(|evidence| evidence.text.starts_with("follows"))
            };
            claims
                .iter()
                .any(|claim| from(claim) && is_held(claim))
                .then_some(())
                .ok_or("no row of this page begins so and has evidence of its own".to_owned())
        }
        "no" if rest.starts_with("claim: ") => Ok(()),
        _ => Err("no kind of evidence".to_owned()),
    }
}

/// The file of a program, or of a part of the library: `snippets/src/stream.rs`.
fn source(program: &str) -> Result<String, String> {
    if program.contains('/') {
        let is_file = Path::new(ROOT).join(program).is_file();
        return is_file
            .then(|| program.to_owned())
            .ok_or(format!("no file {program}"));
    }
    let file = programs().remove(program);
    file.ok_or(format!("no program {program}"))
}

fn pages() -> impl Iterator<Item = String> {
    let pages = files("book", "md").into_iter();
    let pages = pages.map(|page| page["book/".len()..].to_owned());
    pages.filter(|page| !NOT_COVERED.contains(&page.as_str()))
}

#[test]
fn every_claim_has_its_evidence() {
    let claims = ledger(&read(LEDGER));
    let mut all = Vec::new();
    for page in pages() {
        all.extend(faults(&page, &read(&format!("book/{page}")), &claims));
    }
    for claim in &claims {
        if !pages().any(|page| page == claim.page) {
            all.push(format!(
                "{LEDGER}:{}: no page {} is covered",
                claim.sentence.line, claim.page
            ));
        }
    }
    assert!(all.is_empty(), "{}\n{} in all", all.join("\n"), all.len());
}

/// On this page a sentence was once turned into its opposite, and every test stayed green.
#[test]
fn a_sentence_turned_into_its_opposite_is_found() {
    let page = read("book/10-groups.md");
    let claims = ledger(&read(LEDGER));
    let turned = page.replace("Receiver 2 gets *nothing*", "Receiver 2 gets *everything*");
    assert_ne!(page, turned);
    let faults = faults("10-groups.md", &turned, &claims);
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("book/10-groups.md doesn't say this any more")),
        "{faults:?}"
    );
}

#[test]
fn evidence_that_is_gone_is_found() {
    for gone in [
        "assert groups: A3 waits for A1",
        "assert gruops: A2 waits for A1",
        "shows groups: nothing",
        "session groups: Receiver 3",
        "session nothing: Receiver 1",
        "test snippets/tests/programs/kill.rs: nothing",
        "recorded nothing",
        "quota nothing",
        "page https://docs.aws.amazon.com/",
        "follows Nothing",
        "hearsay",
    ] {
        assert!(holds(gone, &[]).is_err(), "{gone}");
    }
    for there in ["assert groups: A2 waits for A1", "quota wait-max"] {
        assert_eq!(holds(there, &[]), Ok(()), "{there}");
    }
}

#[test]
fn a_sentence_without_a_row_is_found() {
    let text = "# Page\n\n- It is delivered [twice](x.md), at most `1` time, {{#include quotas.html:wait-max}}. It is. Is it lost?\n";
    let found = faults("page.md", text, &[]);
    assert_eq!(
        found,
        ["book/page.md:3: what holds this? Name it in book/claims.txt: It is delivered twice, at most 1 time, {wait-max}."]
    );
}

/// How many rows each kind of evidence has: `cargo test --test book -- --ignored --nocapture count_the_claims`.
#[test]
#[ignore = "it only counts"]
fn count_the_claims() {
    let claims = ledger(&read(LEDGER));
    let mut kinds = BTreeMap::<&str, usize>::new();
    for evidence in claims.iter().flat_map(|claim| &claim.evidence) {
        *kinds
            .entry(evidence.text.split(' ').next().unwrap_or_default())
            .or_default() += 1;
    }
    println!("{} claims: {kinds:?}", claims.len());
}
