//! The minutes of the pages, of the introduction and of the schedules, and the speaker notes.

use crate::{build, files, name, numbered_pages, read, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
        let (told, calculated) = (minutes(&page), calculated(&page));
        let factor = (told / calculated).max(calculated / told);
        if factor > 1.5 || told % 5.0 != 0.0 {
            faults.push(format!(
                "{page} says {told} minutes; it takes {calculated:.1}"
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
                    let of_page = self::minutes(&format!("book/{file}")) - exercise;
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

/// The minutes that a page says it takes.
fn minutes(page: &str) -> f64 {
    let text = read(page);
    let (_, time) = text.split_once("This page takes ").expect(page);
    let (minutes, _) = time.split_once(" minutes").expect(page);
    minutes.parse().expect(page)
}

/// The minutes that a page takes. What is folded away is not counted: a hint and a solution are part of the exercise.
fn calculated(page: &str) -> f64 {
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
