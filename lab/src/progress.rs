//! Which exercises the reader has done, as the program `check` notes them, and which page is next.

use crate::project;
use std::path::PathBuf;
use std::{env, fs};

/// The file that `check` writes, one page a line.
pub fn file() -> PathBuf {
    let chosen = env::var_os("LAB_PROGRESS").map(PathBuf::from);
    chosen.unwrap_or_else(|| project().join("progress.txt"))
}

/// The page where the reader goes on, such as `05-visibility`: the first one that isn't done behind the one that was
/// done last. None when nothing is done, or nothing is left behind it.
pub fn next(done: &[String]) -> Option<String> {
    let last = done.last()?;
    let files = fs::read_dir(project().join("book")).ok()?;
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let pages = names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()));
    let numbered = pages.filter(|page| page.starts_with(|c: char| c.is_ascii_digit()));
    numbered
        .filter(|page| page > last && !done.contains(page))
        .min()
}
