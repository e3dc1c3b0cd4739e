//! Which exercises are done: `progress.txt` in the project's folder has a line for each. The desk reads it too.

use super::page::project;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

fn file() -> PathBuf {
    let chosen = env::var_os("LAB_PROGRESS").map(PathBuf::from);
    chosen.unwrap_or_else(|| project().join("progress.txt"))
}

/// The pages whose exercise was done at one time.
pub fn done() -> Vec<String> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Notes a page, once.
pub fn note(page: &str) -> io::Result<()> {
    if done().iter().any(|known| known == page) {
        return Ok(());
    }
    let mut file = File::options().create(true).append(true).open(file())?;
    writeln!(file, "{page}")
}
