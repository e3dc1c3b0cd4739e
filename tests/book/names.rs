//! A page, its program and its session share a name, and each command names a program.

use crate::{files, name, programs, read, ROOT};
use std::collections::BTreeSet;
use std::path::Path;

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

fn words(text: &str) -> BTreeSet<String> {
    let between = |c: char| !(c.is_alphanumeric() || c == '-');
    text.split(between).map(str::to_owned).collect()
}
