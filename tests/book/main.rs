//! Holds the book to what must be true besides its programs: the guards of build.rs hold, links lead somewhere, names
//! agree, numbers have a source, claims have evidence, and every difference of the local cloud from AWS is told.

#[allow(dead_code, reason = "a test needs only the guards")]
#[path = "../../build.rs"]
mod build;

mod claims;
mod differences;
mod includes;
mod links;
mod names;
mod numbers;
mod permissions;
mod table;
mod times;

use snippets::quotas;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The pages with a program, in the order of the book.
fn numbered_pages() -> Vec<String> {
    let mut pages = files("book", "md");
    pages.retain(|page| {
        page["book/".len()..].starts_with(|c: char| c.is_numeric())
            && page != "book/00-introduction.md"
    });
    pages
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
