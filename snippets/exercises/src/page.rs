//! The pages that have an exercise, and what they say of it.

use snippets::Result;
use std::fs;
use std::path::{Path, PathBuf};

pub const PAGES: [&str; 29] = [
    "01-whoami",
    "02-create",
    "03-send",
    "04-receive",
    "05-visibility",
    "06-dead-letters",
    "07-batch",
    "08-once",
    "09-fifo",
    "10-groups",
    "11-deduplication",
    "12-not-once",
    "13-both",
    "14-put",
    "15-get",
    "16-lost-records",
    "17-put-many",
    "18-hot-keys",
    "19-reshard",
    "20-checkpoints",
    "21-fan-out",
    "22-sqs-function",
    "23-half-a-batch",
    "24-poison",
    "25-scaling",
    "26-kinesis-function",
    "27-blocked-shard",
    "28-least-privilege",
    "29-cleanup",
];

/// The page that is called `4`, `04`, `receive` or `04-receive`.
pub fn find(called: &str) -> Result<&'static str> {
    let is_called = |page: &&str| {
        let (number, name) = page.split_once('-').unwrap_or_default();
        called == *page
            || called == name
            || called == number
            || called == number.trim_start_matches('0')
    };
    PAGES.into_iter().find(is_called).ok_or_else(|| {
        format!(
            "there is no exercise {called}: `cargo run --bin check` lists the pages that have one"
        )
        .into()
    })
}

/// The page's heading.
pub fn title(page: &str) -> Option<String> {
    let text = read(page)?;
    Some(text.lines().next()?.trim_start_matches("# ").to_owned())
}

/// The hint of the page's exercise, as plain text in one line.
pub fn hint(page: &str) -> Option<String> {
    let text = read(page)?;
    let (_, exercise) = text.split_once("\n## Exercise\n")?;
    let (_, hint) = exercise.split_once("<summary>Hint</summary>")?;
    let (hint, _) = hint.split_once("</details>")?;
    let words: Vec<&str> = hint.split_whitespace().collect();
    Some(without_links(&words.join(" ")))
}

/// `the page` for `[the page](page.md)`.
fn without_links(markdown: &str) -> String {
    let mut parts = markdown.split("](");
    let mut text = parts.next().unwrap_or_default().replace('[', "");
    for part in parts {
        let (_, rest) = part.split_once(')').unwrap_or_default();
        text += &rest.replace('[', "");
    }
    text
}

fn read(page: &str) -> Option<String> {
    fs::read_to_string(project().join(format!("book/{page}.md"))).ok()
}

/// The folder of the project, where this was built.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
