//! The figures know the kinds of events and faults that there are, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The text of a file, from the folder of the project.
fn text(file: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The variants of an enum, as serde writes them: `queue-created` for `QueueCreated`.
fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let text = text(file);
    let begin = format!("pub enum {name}");
    let (_, body) = text.split_once(&begin).expect(&begin);
    let (_, body) = body.split_once("{\n").expect("its body");
    let (body, _) = body.split_once("\n}").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(kebab).collect()
}

fn kebab(line: &str) -> String {
    let mut kebab = String::new();
    for c in line.chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

/// The names of the properties of an object in a script: `const NAME = {`, one a line.
fn properties(file: &str, name: &str) -> BTreeSet<String> {
    let text = text(file);
    let begin = format!("\nconst {name} = {{\n");
    let (_, body) = text.split_once(&begin).expect(&begin);
    let (body, _) = body.split_once("\n};").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("  "));
    let names = lines
        .filter(|line| line.starts_with(|first: char| first == '"' || first.is_ascii_lowercase()));
    let name = |line: &str| {
        line.split([':', ','])
            .next()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned()
    };
    names.map(name).collect()
}

#[test]
fn the_figures_know_each_kind_of_event_and_no_other() {
    let mut kinds = variants("localcloud/src/events/event.rs", "Event<'a>");
    assert!(
        kinds.contains("queue-created") && kinds.len() > 30,
        "{kinds:?}"
    );
    let store = "book/figures/store.js";
    let objects = ["CLOUD", "QUEUE", "STREAM", "FUNCTION", "MAPPING"];
    let folded: BTreeSet<String> = objects
        .iter()
        .flat_map(|name| properties(store, name))
        .collect();
    let said = properties("book/figures/words.js", "SENTENCES");
    // The state that a listener begins with is no event.
    kinds.insert("state".to_owned());
    let known: BTreeSet<String> = folded.union(&said).cloned().collect();
    let unknown: Vec<_> = kinds.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "neither {store} nor words.js knows {unknown:?}"
    );
    let gone: Vec<_> = known.difference(&kinds).collect();
    assert!(
        gone.is_empty(),
        "no event is {gone:?}: take it out of {store} and words.js"
    );
}

#[test]
fn the_page_of_the_lab_offers_each_kind_of_fault_and_no_other() {
    let kinds = variants("localcloud/src/faults.rs", "Kind");
    assert!(kinds.contains("throttle"), "{kinds:?}");
    let script = text("book/figures/cloud.js");
    let (_, offered) = script.split_once("\nconst FAULTS = [").expect("the faults");
    let (offered, _) = offered.split_once("];").expect("their end");
    let offered = offered.split('"').skip(1).step_by(2).map(str::to_owned);
    assert_eq!(offered.collect::<BTreeSet<_>>(), kinds);
}
