//! Which exercises the reader has done, as the program `check` notes them, and which page is next.

use crate::project;
use std::path::PathBuf;
use std::{env, fs};

/// The file that `check` writes, one page a line.
pub fn file() -> PathBuf {
    let chosen = env::var_os("LAB_PROGRESS").map(PathBuf::from);
    chosen.unwrap_or_else(|| project().join("progress.txt"))
}

/// The page behind the furthest one that is done, such as `05-visibility`. None when nothing is done, or the last page.
pub fn next(done: &[String]) -> Option<String> {
    let furthest = done.iter().max()?;
    let files = fs::read_dir(project().join("book")).ok()?;
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let pages = names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()));
    let numbered = pages.filter(|page| page.starts_with(|c: char| c.is_ascii_digit()));
    numbered.filter(|page| page > furthest).min()
}
