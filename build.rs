//! Hands every Rust block of the book to skeptic, which builds and runs each as a test named after its chapter,
//! heading and line. A block that shows a part of a program with `rustdoc_include` is tested as the whole program.
//!
//! Stops the build, with the page and the line, where mdBook says nothing: at a file, an anchor or a
//! template that doesn't exist, and a block that would not be run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, io};

/// The paragraph before or after a `no_run` block says this, with the reason.
const NOT_RUN: &str = "not run here";

/// Longer than any fence inside a program.
const FENCE: &str = "~~~~~~~~~~~~";

/// A Rust block as skeptic gets it.
pub struct Block {
    /// The page's name without its number: what the test is named after.
    pub chapter: String,
    /// The line of the block's fence in its page.
    pub line: usize,
    /// The page's headings and the block, each on its own line, with the block's includes filled in.
    pub text: String,
}

fn main() -> io::Result<()> {
    for folder in ["book", "localcloud/src", "snippets", "templates"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let variable = |name| PathBuf::from(env::var_os(name).unwrap_or_default());
    let (root, out) = (variable("CARGO_MANIFEST_DIR"), variable("OUT_DIR"));
    println!("cargo::rustc-env=TARGET={}", variable("TARGET").display());

    let (blocks, faults) = read_book(&root)?;
    for fault in &faults {
        println!("cargo::error={fault}");
    }
    if faults.is_empty() {
        skeptic::generate_doc_tests(&write_blocks(&out, &blocks)?);
        let tests = fs::read_to_string(out.join("skeptic-tests.rs"))?;
        let run_by_us = tests.replace("    skeptic::rt::", "    super::");
        fs::write(out.join("blocks.rs"), run_by_us)?;
    }
    Ok(())
}

/// The Rust blocks of all pages under `root/book`, and what is wrong with the pages.
pub fn read_book(root: &Path) -> io::Result<(Vec<Block>, Vec<String>)> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root.join("book"))? {
        pages.extend(entry?.file_name().into_string().ok());
    }
    pages.retain(|page| page.ends_with(".md"));
    pages.sort();
    let (mut blocks, mut faults) = (Vec::new(), Vec::new());
    for page in pages {
        let text = fs::read_to_string(root.join("book").join(&page))?;
        let (good, bad) = read_page(root, &page, &text);
        blocks.extend(good);
        faults.extend(bad);
    }
    Ok((blocks, faults))
}

/// A fenced block of a page while it is read.
struct Fence<'a> {
    /// Before the fence, in each line of the block: indentation and the `>` of a quotation.
    margin: &'a str,
    marks: &'a str,
    line: usize,
    is_rust: bool,
    text: String,
}

fn read_page(root: &Path, file: &str, page: &str) -> (Vec<Block>, Vec<String>) {
    let chapter = file
        .trim_end_matches(".md")
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let lines: Vec<&str> = page.lines().collect();
    let mut headings = String::new();
    let mut open: Option<Fence> = None;
    let (mut blocks, mut faults) = (Vec::new(), Vec::new());

    for (i, line) in lines.iter().copied().enumerate() {
        let mut fault = |what: String| faults.push(format!("book/{file}:{}: {what}", i + 1));
        let text = bare(line);
        let mut heading = "";
        match &mut open {
            None => match fence(text) {
                Some((marks, info)) => {
                    let tokens = tokens(info);
                    objections(&tokens, says_why(&lines, i, marks)).for_each(&mut fault);
                    open = Some(Fence {
                        margin: &line[..line.len() - text.len()],
                        marks,
                        line: i + 1,
                        is_rust: tokens.contains(&"rust"),
                        text: format!("{headings}{FENCE}{info}\n"),
                    });
                }
                None if text.starts_with("# ") || text.starts_with("## ") => {
                    // Without code marks and the heading's id, which would stand in the test's name.
                    heading = text.split(" {#").next().unwrap_or_default();
                }
                None => {}
            },
            Some(block) if closes(text, block.marks) => {
                if block.is_rust {
                    blocks.push(Block {
                        chapter: chapter.to_owned(),
                        line: block.line,
                        text: format!("{}{FENCE}\n", block.text),
                    });
                }
                open = None;
            }
            Some(_) => {}
        }
        headings.push_str(&heading.replace('`', ""));
        headings.push('\n');

        let filled_in = fill_in(root, line, &mut fault);
        for template in templates(&filled_in) {
            if !root.join(template).is_file() {
                fault(format!("no template `{template}`"));
            }
        }
        if let Some(block) = open.as_mut().filter(|block| block.line != i + 1) {
            let content = filled_in.strip_prefix(block.margin);
            block.text += content.unwrap_or(bare(&filled_in));
            block.text.push('\n');
        }
    }
    (blocks, faults)
}

/// The line without indentation and the `>` of a quotation.
fn bare(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '>'])
}

/// The marks and the info string of the fence that opens in this line.
fn fence(bare: &str) -> Option<(&str, &str)> {
    let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = bare.trim_start_matches(mark);
    let marks = &bare[..bare.len() - info.len()];
    (marks.len() >= 3 && !info.contains('`')).then_some((marks, info.trim()))
}

fn closes(bare: &str, marks: &str) -> bool {
    let end = bare.trim_end();
    end.starts_with(marks) && end.trim_start_matches(&marks[..1]).is_empty()
}

/// The words of an info string, divided as skeptic and rustdoc divide them.
fn tokens(info: &str) -> Vec<&str> {
    info.split(|c: char| !(c == '_' || c == '-' || c.is_alphanumeric()))
        .collect()
}

/// The parts of a block's info string that would hide it from the tests.
fn objections<'a>(tokens: &'a [&str], says_why: bool) -> impl Iterator<Item = String> + 'a {
    tokens.iter().filter_map(move |token| match *token {
        "ignore" => Some("`ignore` hides a block from the tests: let it run".to_owned()),
        "no_run" if !says_why => Some(format!(
            "`no_run` needs its reason in the paragraph before or after the block, with the words \"{NOT_RUN}\""
        )),
        token => {
            let template = token.strip_prefix("skt-")?;
            Some(format!("no template `{template}`: a block is a whole program"))
        }
    })
}

/// Whether the paragraph before or after the block that opens in line `start` says that it is not run.
fn says_why(lines: &[&str], start: usize, marks: &str) -> bool {
    let length = lines[start + 1..]
        .iter()
        .position(|line| closes(bare(line), marks));
    let end = length.map_or(lines.len(), |length| start + length + 2);
    let paragraph = |lines: &mut dyn Iterator<Item = &&str>| -> Vec<String> {
        lines
            .map(|line| bare(line).trim_end().to_lowercase())
            .skip_while(String::is_empty)
            .take_while(|line| !line.is_empty())
            .collect()
    };
    let mut before = paragraph(&mut lines[..start].iter().rev());
    before.reverse();
    let after = paragraph(&mut lines[end..].iter());
    [before, after]
        .iter()
        .any(|lines| lines.join(" ").contains(NOT_RUN))
}

/// A line of a page with its includes filled in. What can't be filled in is a fault.
pub fn fill_in(root: &Path, line: &str, fault: &mut impl FnMut(String)) -> String {
    let mut filled_in = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{#") {
        filled_in += before;
        let Some((directive, tail)) = after.split_once("}}") else {
            filled_in += "{{#";
            rest = after;
            continue;
        };
        rest = tail;
        let (name, target) = directive
            .split_once(char::is_whitespace)
            .unwrap_or((directive, ""));
        if before.ends_with('\\') || !matches!(name, "include" | "rustdoc_include" | "playground") {
            continue;
        }
        let target = target.split_whitespace().next().unwrap_or_default();
        match include(root, name, target) {
            Ok(text) => filled_in += &text,
            Err(what) => fault(what),
        }
    }
    filled_in + rest
}

/// The text that skeptic compiles in place of an include: the anchored lines, or the whole program for
/// `rustdoc_include`.
fn include(root: &Path, name: &str, target: &str) -> Result<String, String> {
    let (path, anchor) = match target.split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let file = match path.strip_prefix("../") {
        Some(path) => path.to_owned(),
        None => format!("book/{path}"),
    };
    let text = fs::read_to_string(root.join(&file)).map_err(|_| format!("no file {file}"))?;
    let mut included: Vec<&str> = text.lines().collect();
    if let Some(anchor) = anchor {
        let part = anchored(&text, anchor)
            .ok_or_else(|| format!("no anchor `{anchor}`, or no end of it, in {file}"))?;
        if name == "include" {
            included = part;
        }
    }
    // skeptic would take a sign at a line's start for a hidden line's, and remove it.
    let kept = |line: &str| match line.trim_start() {
        bare if bare == "#" || bare.starts_with("# ") => format!("# {line}"),
        _ => line.to_owned(),
    };
    Ok(included
        .into_iter()
        .map(kept)
        .collect::<Vec<_>>()
        .join("\n"))
}

/// The lines between the comments `ANCHOR: name` and `ANCHOR_END: name`, without the comments of other anchors.
pub fn anchored<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let is = |line: &str, mark: &str| {
        line.split_once(mark).is_some_and(|(_, after)| {
            after
                .trim_start()
                .split(|c: char| !(c == '_' || c == '-' || c.is_alphanumeric()))
                .next()
                == Some(name)
        })
    };
    let mut lines = text.lines().skip_while(|line| !is(line, "ANCHOR:"));
    lines.next()?;
    let mut found = Vec::new();
    for line in lines {
        if is(line, "ANCHOR_END:") {
            return Some(found);
        }
        if !line.contains("ANCHOR:") && !line.contains("ANCHOR_END:") {
            found.push(line);
        }
    }
    None
}

/// The templates that a line names, such as `templates/standard-queue.yaml`.
fn templates(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("templates/").filter_map(move |(at, _)| {
        let name = &line[at..];
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || "/-_.".contains(c)));
        let name = name[..end.unwrap_or(name.len())].trim_end_matches('.');
        name.contains('.').then_some(name)
    })
}

/// Writes each block into a file of its own, so that what an include adds moves no other block's line.
pub fn write_blocks(out: &Path, blocks: &[Block]) -> io::Result<Vec<PathBuf>> {
    let folder = out.join("pages");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let write = |block: &Block| {
        let file = folder
            .join(block.line.to_string())
            .join(&block.chapter)
            .with_extension("md");
        fs::create_dir_all(file.parent().unwrap_or(&folder))?;
        fs::write(&file, &block.text)?;
        // skeptic has cargo watch these files: new ones would make it build everything a second time.
        File::options()
            .write(true)
            .open(&file)?
            .set_modified(SystemTime::UNIX_EPOCH)?;
        Ok(file)
    };
    blocks.iter().map(write).collect()
}
