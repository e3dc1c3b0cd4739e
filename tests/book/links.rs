//! Links lead to a page and a heading, and nothing is loaded from elsewhere.

use crate::{files, prose, read, ROOT};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_page_is_in_the_summary_and_every_entry_has_a_page() {
    let listed: Vec<String> = links("book/SUMMARY.md")
        .into_iter()
        .map(|link| link.target)
        .collect();
    let unique = BTreeSet::from_iter(listed.iter().cloned());
    assert_eq!(
        listed.len(),
        unique.len(),
        "a page is listed twice: {listed:?}"
    );
    let nested: Vec<_> = listed.iter().filter(|page| page.contains('/')).collect();
    assert!(
        nested.is_empty(),
        "build.rs reads the pages directly under book/: {nested:?}"
    );
    let pages = files("book", "md")
        .into_iter()
        .filter(|page| page != "book/SUMMARY.md");
    let pages = BTreeSet::from_iter(pages.map(|page| page.trim_start_matches("book/").to_owned()));
    assert_eq!(unique, pages);
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let mut faults = Vec::new();
    for page in files("book", "md") {
        for link in links(&page) {
            if ["http://", "https://", "mailto:"]
                .iter()
                .any(|scheme| link.target.starts_with(scheme))
            {
                continue;
            }
            let (path, id) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let target = match path {
                "" => page.clone(),
                path => format!("book/{path}"),
            };
            if path.contains("..") || !Path::new(ROOT).join(&target).is_file() {
                faults.push(format!("{page}:{}: no page {path}", link.line));
            } else if !id.is_empty() && !ids(&target).contains(id) {
                faults.push(format!(
                    "{page}:{}: no heading #{id} in {target}",
                    link.line
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let loads = [
        "src=\"http",
        "src='http",
        "src=\"//",
        "](http",
        "<link",
        "url(http",
        "url(\"http",
        "url('http",
        "@import",
        "import(",
        "from \"http",
        "fetch(\"http",
        "<iframe",
    ];
    let mut faults = Vec::new();
    for kind in ["md", "html", "css", "js", "svg", "hbs"] {
        for file in files("book", kind) {
            for (i, line) in read(&file).lines().enumerate() {
                let load = loads.iter().find(|load| match **load {
                    // A link is followed by the reader; an image is loaded.
                    "](http" => line.contains("![") && line.contains(**load),
                    load => line.contains(load),
                });
                faults.extend(load.map(|load| format!("{file}:{}: {load}", i + 1)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A link of a page.
struct Link {
    line: usize,
    target: String,
}

/// The links and images of a page, outside of its code.
fn links(page: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, text) in prose(&read(page)) {
        for start in ["](", "]: ", "href=\"", "src=\""] {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at + start.len()..];
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '"'));
                let target = rest[..end.unwrap_or(rest.len())].to_owned();
                links.push(Link { line, target });
            }
        }
    }
    links
}

/// The ids that a link to this page can name, as mdBook makes them.
fn ids(page: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let text = read(page).replace("{{#include quotas.html}}", &read("book/quotas.html"));
    let plain = text.replace('`', "");
    for (_, line) in prose(&plain) {
        if line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim();
            match heading.split_once(" {#") {
                Some((_, id)) => drop(ids.insert(id.trim_end_matches('}').to_owned())),
                None => drop(ids.insert(id(heading))),
            }
        }
        let explicit = line
            .split("id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        ids.extend(explicit.map(str::to_owned));
    }
    ids
}

fn id(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}
