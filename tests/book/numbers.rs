//! A number typed in a page's prose is one that the page shows or runs. Numbers in digits, and number words with a unit
//! (*five seconds*) or with a noun that the page's programs print (*four deliveries*), must occur in the evidence of its
//! section: quotas, sessions, programs, templates and commands. Where none of these has it, a mark that readers
//! don't see names what has, right after the number: `<!-- held by: FILE: TEXT -->`. The text stands in that file, and
//! its numbers add up to the page's.

use crate::{build, copy, numbered_pages, prose, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Millisecond,
    Byte,
    /// Anything else.
    Thing,
}

/// A number of a text, in thousandths of its unit.
#[derive(Debug)]
struct Number {
    /// Where its digits or its word begin and end.
    at: std::ops::Range<usize>,
    thousandths: u64,
    unit: Unit,
    in_digits: bool,
}

const WORDS: [(&str, u64); 29] = [
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("thousand", 1000),
];

/// Units by the words and endings that stand behind a number, each with how many of its kind it is.
const UNITS: [(&str, Unit, u64); 24] = [
    ("ms", Unit::Millisecond, 1),
    ("millisecond", Unit::Millisecond, 1),
    ("milliseconds", Unit::Millisecond, 1),
    ("s", Unit::Millisecond, 1000),
    ("second", Unit::Millisecond, 1000),
    ("seconds", Unit::Millisecond, 1000),
    ("m", Unit::Millisecond, 60_000),
    ("minute", Unit::Millisecond, 60_000),
    ("minutes", Unit::Millisecond, 60_000),
    ("h", Unit::Millisecond, 3_600_000),
    ("hour", Unit::Millisecond, 3_600_000),
    ("hours", Unit::Millisecond, 3_600_000),
    ("day", Unit::Millisecond, 86_400_000),
    ("days", Unit::Millisecond, 86_400_000),
    ("byte", Unit::Byte, 1),
    ("bytes", Unit::Byte, 1),
    ("KB", Unit::Byte, 1 << 10),
    ("KiB", Unit::Byte, 1 << 10),
    ("MB", Unit::Byte, 1 << 20),
    ("MiB", Unit::Byte, 1 << 20),
    ("GB", Unit::Byte, 1 << 30),
    ("GiB", Unit::Byte, 1 << 30),
    ("mebibyte", Unit::Byte, 1 << 20),
    ("mebibytes", Unit::Byte, 1 << 20),
];

/// How names end whose values are times: `Duration::from_secs(5)`, `wait_time_seconds(5)`, `VisibilityTimeout: 30`.
const TIMES: [(&str, u64); 9] = [
    ("millis", 1),
    ("secs", 1000),
    ("seconds", 1000),
    ("timeout", 1000),
    ("delay", 1000),
    ("wait", 1000),
    ("period", 1000),
    ("hours", 3_600_000),
    ("retention", 1000),
];

/// The numbers of a text: in prose in digits and in words, in code in digits.
fn numbers(text: &str) -> Vec<Number> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut numbers = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find(is_part).map(|at| at + rest) {
        let end = text[start..]
            .find(|c: char| !is_part(c))
            .map_or(text.len(), |length| start + length);
        rest = end;
        let token = &text[start..end];
        let before = &text[..start];
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            let (until, thousandths) = digits(text, start);
            rest = rest.max(until);
            // A part of a name or an address, such as `us-east-1`, `0.4.2` or `127.0.0.1`.
            let is_inner = before.ends_with(['-', '.', '/', '#', ':', '~'])
                && !before.ends_with("..")
                && !before.ends_with("=-")
                || text[until..].starts_with('.')
                    && text[until + 1..].starts_with(|c: char| c.is_alphanumeric());
            if let Some(thousandths) = thousandths.filter(|_| !is_inner) {
                let ending = &text[until..rest.max(until)];
                let (unit, factor) = unit_behind(ending, &text[rest.max(until)..])
                    .or_else(|| unit_before(before))
                    .unwrap_or((Unit::Thing, 1));
                if ending.is_empty() || unit != Unit::Thing {
                    numbers.push(Number {
                        at: start..until,
                        thousandths: thousandths.saturating_mul(factor),
                        unit,
                        in_digits: true,
                    });
                }
            }
        } else if let Some((_, value)) = WORDS
            .iter()
            .find(|(word, _)| token.eq_ignore_ascii_case(word))
        {
            let (unit, factor) = unit_behind("", &text[end..]).unwrap_or((Unit::Thing, 1));
            numbers.push(Number {
                at: start..end,
                thousandths: value * 1000 * factor,
                unit,
                in_digits: false,
            });
        }
    }
    numbers
}

/// Where the number that starts here ends, and its value: `1,500`, `10_000`, `0.015`.
fn digits(text: &str, start: usize) -> (usize, Option<u64>) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = start;
    while is_digit(end) || matches!(bytes.get(end), Some(b',' | b'_')) && is_digit(end + 1) {
        end += 1;
    }
    let whole = end;
    if bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end += 1;
        while is_digit(end) {
            end += 1;
        }
    }
    let number = text[start..whole].replace([',', '_'], "");
    let fraction: String = text[whole..end]
        .chars()
        .skip(1)
        .chain("000".chars())
        .collect();
    let value = number.parse::<u64>().ok().and_then(|number| {
        number
            .checked_mul(1000)?
            .checked_add(fraction[..3].parse().ok()?)
    });
    (end, value)
}

fn unit_behind(ending: &str, after: &str) -> Option<(Unit, u64)> {
    let next = match ending {
        "" => {
            let after = after.strip_prefix([' ', '-'])?;
            let end = after.find(|c: char| !c.is_alphanumeric());
            &after[..end.unwrap_or(after.len())]
        }
        ending => ending,
    };
    let unit = UNITS.iter().find(|(word, ..)| *word == next)?;
    // "5 s" is a time, "4 m" and "3 h" are not in any text of this book but as `+5m`.
    (ending.is_empty() || next.len() < 3 || !ending.is_empty()).then_some((unit.1, unit.2))
}

/// The unit of a value that follows a name in code.
fn unit_before(before: &str) -> Option<(Unit, u64)> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let line = line.trim_end_matches([' ', '"', '(', '=', ':', ',', '-', '`']);
    let line = ["i32", "u32", "i64", "u64", "Millis"]
        .iter()
        .find_map(|kind| line.strip_suffix(kind))
        .map_or(line, |line| line.trim_end_matches([' ', ':']));
    let name = line
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()?;
    let name = name.to_ascii_lowercase();
    let (_, factor) = TIMES.iter().find(|(ending, _)| name.ends_with(ending))?;
    Some((Unit::Millisecond, *factor))
}

/// What a page shows and runs.
struct Evidence {
    numbers: BTreeSet<(Unit, u64)>,
    /// What its programs and sessions print behind a number.
    nouns: BTreeSet<String>,
}

impl Evidence {
    fn of(root: &Path, text: &str) -> Self {
        let (mut files, mut shown) = (BTreeMap::new(), String::new());
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.trim_start_matches([' ', '>']).starts_with("```");
            // A command within a sentence is shown too.
            let code: Vec<&str> = match is_code {
                true => vec![line],
                false => line.split('`').skip(1).step_by(2).collect(),
            };
            shown += &(code.join("\n") + "\n");
            for include in includes(line) {
                let (file, anchor) = include.split_once(':').unwrap_or((include, ""));
                let included = files.entry(from_root(file)).or_insert(String::new());
                let text = read(root, &from_root(file));
                *included += &match build::anchored(&text, anchor) {
                    Some(lines) => lines.join("\n") + "\n",
                    None => text,
                };
            }
        }
        files.retain(|file, _| !file.starts_with("book/figures/"));
        let mut commands = text.to_owned();
        commands.extend(files.values().map(String::as_str));
        // The work of a program counts whole where the page shows no part of it.
        for program in programs_of(root, &commands) {
            files
                .entry(program.clone())
                .or_insert_with(|| read(root, &program));
        }
        for (file, text) in &files {
            shown += &match file.rsplit('.').next() {
                Some("rs") => without_comments(text),
                Some("txt") => without_lists(text),
                _ => text.clone(),
            };
            shown.push('\n');
        }
        let numbers = numbers(&shown);
        let nouns = numbers
            .iter()
            .filter_map(|number| noun(&shown[number.at.end..]));
        let printed = shown
            .match_indices('}')
            .filter_map(|(at, _)| noun(&shown[at + 1..]));
        let alike = files
            .iter()
            .filter(|(file, _)| file.ends_with(".txt"))
            .flat_map(|(_, session)| lines_alike(session))
            .map(|count| (Unit::Thing, count * 1000));
        let typed = numbers
            .iter()
            .map(|number| (number.unit, number.thousandths));
        Self {
            nouns: nouns.chain(printed).collect(),
            numbers: typed.chain(alike).collect(),
        }
    }

    /// A count may be anything that the page has, a time only a time.
    fn has(&self, number: &Number) -> bool {
        let (unit, value) = (number.unit, number.thousandths);
        // Code has bytes without their unit: `[b'x'; 4000]`.
        self.numbers.contains(&(unit, value))
            || unit == Unit::Byte && self.numbers.contains(&(Unit::Thing, value))
    }
}

/// The noun behind a number.
fn noun(after: &str) -> Option<String> {
    let word = after.strip_prefix(' ')?;
    let end = word.find(|c: char| !c.is_ascii_alphabetic());
    let word = &word[..end.unwrap_or(word.len())];
    (word.len() > 3 && word.ends_with('s')).then(|| word.to_owned())
}

/// Whether a plural is among the next words: `three good messages`. What a page says of itself is none.
fn counted(after: &str) -> bool {
    const OF_THE_PAGE: [&str; 5] = ["lines", "others", "parts", "places", "things"];
    let words = after.split(' ').skip(1).take(2);
    let words = words.map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()));
    let is_counted = |word: &str| word.len() > 3 && word.ends_with('s') && word != "this";
    let words: Vec<&str> = words
        .take_while(|word| !OF_THE_PAGE.contains(word))
        .collect();
    words.into_iter().any(is_counted)
}

/// How many lines of a session begin with the same word, which pages count: *four deliveries*.
fn lines_alike(session: &str) -> impl Iterator<Item = u64> + '_ {
    let mut counts = BTreeMap::<&str, u64>::new();
    for line in session.lines() {
        let first = line.split([' ', ':', '-']).next().unwrap_or_default();
        *counts.entry(first).or_default() += 1;
    }
    counts.into_values()
}

/// What a line includes: `quotas.html:wait-max`.
fn includes(line: &str) -> impl Iterator<Item = &str> {
    line.split("include ")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
}

fn from_root(file: &str) -> String {
    match file.strip_prefix("../") {
        Some(file) => file.to_owned(),
        None => format!("book/{file}"),
    }
}

/// The files of the programs that a text names in a command, and of the page's own name.
fn programs_of(root: &Path, text: &str) -> Vec<String> {
    let names: BTreeSet<&str> = text
        .split("--bin ")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !(c.is_alphanumeric() || c == '-'))
                .next()
        })
        // It knows all exercises.
        .filter(|name| *name != "check")
        .collect();
    let folders = crate::PACKAGES.map(|package| format!("{package}/src/bin"));
    let file = |name: &str| {
        let files = folders.iter().map(|folder| format!("{folder}/{name}.rs"));
        let mut files = files.filter(|file| root.join(file).is_file());
        files.next()
    };
    names.into_iter().filter_map(file).collect()
}

/// A session without lines that print a number for each of many things, such as `Sending message 7`: whatever a page
/// says of few, some such line has.
fn without_lists(session: &str) -> String {
    let mut kept = String::new();
    for line in session.lines() {
        let is_item = line.ends_with(|c: char| c.is_ascii_digit() || c == '}')
            && !line.contains(": ")
            && !line.starts_with('$');
        let is_list = line.matches(' ').count() > 4 && numbers(line).len() > 5;
        if !is_item && !is_list {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// A program without what it says of itself: a comment is no evidence.
fn without_comments(program: &str) -> String {
    let code = program
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.map(|line| line.to_owned() + "\n").collect()
}

fn read(root: &Path, file: &str) -> String {
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The numbers of this page's prose that nothing holds. A section's own evidence comes first: a page shows so much that
/// it has nearly every small number somewhere.
fn faults(root: &Path, page: &str) -> Vec<String> {
    let text = read(root, page);
    let whole = Evidence::of(root, &text);
    let mut faults = Vec::new();
    for section in sections(&text) {
        let own = Evidence::of(root, &section.text);
        let evidence = match own.numbers.len() {
            0..=ENOUGH => &whole,
            _ => &own,
        };
        for (line, text) in prose(&section.text) {
            let place = format!("{page}:{}", section.line + line);
            faults.extend(faults_of_line(root, &text, evidence, &whole.nouns, &place));
        }
    }
    faults
}

/// Sections that show no more numbers than these, such as *What you saw*, speak of the whole page.
const ENOUGH: usize = 3;

struct Section {
    /// The lines above it.
    line: usize,
    text: String,
}

fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![Section {
        line: 0,
        text: String::new(),
    }];
    for (i, line) in page.lines().enumerate() {
        if line.starts_with("## ") {
            sections.push(Section {
                line: i,
                text: String::new(),
            });
        }
        if let Some(section) = sections.last_mut() {
            section.text += line;
            section.text.push('\n');
        }
    }
    sections
}

/// The faults of a line of prose. `nouns` are those that the page's programs print.
fn faults_of_line(
    root: &Path,
    line: &str,
    evidence: &Evidence,
    nouns: &BTreeSet<String>,
    place: &str,
) -> Vec<String> {
    // These are held by tests of their own, or ask.
    let is_held = ["- **Ask:**", "#", "|---"]
        .iter()
        .any(|start| line.starts_with(start))
        || line.contains("This page takes")
        || line.contains(" minutes:** ");
    if is_held {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let (text, marks) = marks(&plain(line));
    let numbers = numbers(&text);
    for (at, mark) in &marks {
        let number = numbers.iter().rev().find(|number| number.at.start < *at);
        let held = |number: &Number| held(root, mark, number, &text[number.at.clone()]);
        match number.map(|number| (number, held(number))) {
            None => faults.push(format!("{place}: no number before `held by: {mark}`")),
            Some((number, Err(what))) => {
                let number = &text[number.at.clone()];
                faults.push(format!("{place}: `{number}`: {what}"));
            }
            Some((_, Ok(()))) => {}
        }
    }
    for (i, number) in numbers.iter().enumerate() {
        let next = numbers.get(i + 1).map_or(usize::MAX, |next| next.at.start);
        let is_marked = marks
            .iter()
            .any(|(at, _)| (number.at.start..next).contains(at));
        let after = &text[number.at.end..];
        // *Order 7* is a name.
        let is_digit = number.thousandths < 10_000;
        let is_checked = number.in_digits && !is_digit && !is_date(number, after)
            || number.unit != Unit::Thing
            || (3000..=90_000).contains(&number.thousandths) && counted(after)
            || noun(after).is_some_and(|noun| nouns.contains(&noun));
        if is_checked && !is_marked && !evidence.has(number) {
            let phrase: Vec<&str> = text[number.at.start..].split(' ').take(3).collect();
            faults.push(format!(
                "{place}: `{}` is in no quota, session, program or command of its section, or of the page if the section \
                 has none. Correct it, or name what holds it right after it: <!-- held by: FILE: TEXT -->",
                phrase.join(" ")
            ));
        }
    }
    faults
}

/// The line without its ordinal, and without the addresses of its links and what it includes.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches([' ', '>']);
    let line = match line.split_once(". ") {
        Some((ordinal, rest)) if ordinal.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => line,
    };
    let mut plain = String::new();
    for (i, part) in line.split("](").enumerate() {
        plain += match part.split_once(')') {
            Some((_, rest)) if i > 0 => rest,
            _ => part,
        };
    }
    let mut without = String::new();
    for part in plain.split("{{#") {
        without += part.split_once("}}").map_or(part, |(_, rest)| rest);
    }
    without
}

/// The line without its marks, and what each says and where it stood.
fn marks(line: &str) -> (String, Vec<(usize, String)>) {
    let (mut text, mut marks) = (String::new(), Vec::new());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("<!-- held by: ") {
        text += before;
        let (mark, after) = after.split_once(" -->").unwrap_or((after, ""));
        marks.push((text.len(), mark.to_owned()));
        rest = after;
    }
    (text + rest, marks)
}

/// Whether the text that a mark names stands in its file, and has the number.
fn held(root: &Path, mark: &str, number: &Number, typed: &str) -> Result<(), String> {
    let (file, text) = mark.split_once(": ").ok_or("`FILE: TEXT`, please")?;
    let source = fs::read_to_string(root.join(file)).map_err(|_| format!("no file {file}"))?;
    if !source.contains(text) {
        return Err(format!("{file} has no `{text}` any more: correct the page"));
    }
    let value = number.thousandths;
    // A bare number is taken for seconds.
    let seconds = |found: &Number| match (number.unit, found.unit) {
        (Unit::Millisecond, Unit::Thing) => found.thousandths * 1000,
        _ => found.thousandths,
    };
    let found: Vec<u64> = numbers(text).iter().map(seconds).collect();
    let sum: u64 = found.iter().sum();
    // "Two minutes" of 121 measured seconds.
    let roughly = match file {
        "book/times.txt" => value / 20,
        _ => 0,
    };
    let has = |found: u64| found.abs_diff(value) <= roughly;
    if found.into_iter().any(has) || has(sum) || text.ends_with(typed) {
        return Ok(());
    }
    Err(format!(
        "{file} says `{text}`: correct the page or the program"
    ))
}

/// A year, or a day of a month.
fn is_date(number: &Number, after: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let is_year = (2000..2100).contains(&(number.thousandths / 1000));
    let month = after.trim_start();
    number.unit == Unit::Thing && (is_year || MONTHS.iter().any(|name| month.starts_with(name)))
}

#[test]
fn every_number_of_a_page_is_one_that_it_shows_or_runs() {
    let pages = numbered_pages();
    let faults: Vec<String> = pages
        .iter()
        .flat_map(|page| faults(Path::new(ROOT), page))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The faults of a page when a file of a copy of the book has another text.
fn planted(test: &str, file: &str, (old, new): (&str, &str)) -> Vec<String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    for folder in ["book", "snippets", "templates"] {
        copy(&Path::new(ROOT).join(folder), &root.join(folder));
    }
    let text = read(&root, file);
    assert!(text.contains(old), "{file} has no {old}");
    fs::write(root.join(file), text.replace(old, new)).expect("the copy can be written");
    faults(&root, "book/04-receive.md")
}

#[test]
fn a_program_that_waits_for_another_time_is_found() {
    let receive = "snippets/src/bin/receive.rs";
    let found = planted(
        "seven-seconds",
        receive,
        ("wait_time_seconds(5)", "wait_time_seconds(7)"),
    );
    assert!(
        matches!(&found[..], [fault] if fault.starts_with("book/04-receive.md:") && fault.contains("receive.rs has no `wait_time_seconds(5)` any more")),
        "{found:?}"
    );
}

#[test]
fn a_mistyped_count_is_found() {
    let page = "book/04-receive.md";
    for (test, right, wrong, fault) in [
        (
            "102-deliveries",
            "101 deliveries",
            "102 deliveries",
            "`102`: ",
        ),
        (
            "40-polls",
            "puts three messages",
            "puts 40 messages",
            "`40 messages",
        ),
        (
            "seven-polls",
            "puts three messages",
            "puts seven messages",
            "`seven messages",
        ),
    ] {
        let found = planted(test, page, (right, wrong));
        assert!(
            matches!(&found[..], [found] if found.starts_with("book/04-receive.md:") && found.contains(fault)),
            "{found:?}"
        );
    }
}
