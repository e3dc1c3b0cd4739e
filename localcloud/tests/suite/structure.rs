//! The house of the local cloud: which room may name which, and how long a file may be. Every arrow goes down, so that a
//! reader who opens a file needs only what is below it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Describes the house in words. Its block `arrows` says what each module of `src` may name, from the top to the bottom;
/// `lib` is `lib.rs`, the wiring, which names all.
const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// Those at the bottom, which whatever is above may name.
const LEAVES: [&str; 5] = ["quotas", "clock", "ids", "lock", "account"];

/// A longer file says why, in its first lines.
const MAX_LINES: usize = 600;
const REASON: &str = "Long because";

/// A name of a module that a file has, outside its tests.
struct Naming {
    line: usize,
    /// `lib` for what stands in `lib.rs` itself.
    module: String,
}

/// Each module of the house with those that it may name.
fn house() -> Vec<(&'static str, Vec<&'static str>)> {
    let (_, table) = ARCHITECTURE.split_once("```arrows\n").expect("the table");
    let (table, _) = table.split_once("```").expect("its end");
    let rows = table.lines().map(|line| line.split_whitespace());
    let rows = rows.filter_map(|mut words| Some((words.next()?, words.collect::<Vec<_>>())));
    rows.map(|(module, names)| {
        let leaves = LEAVES
            .iter()
            .skip_while(|leaf| LEAVES.contains(&module) && **leaf != module);
        (module, leaves.copied().chain(names).collect())
    })
    .collect()
}

#[test]
fn every_arrow_goes_down() {
    let house = house();
    for (at, (module, may_name)) in house.iter().enumerate() {
        for name in may_name.iter().filter(|name| *name != module) {
            let below = house[at + 1..].iter().any(|(other, _)| other == name);
            assert!(
                below,
                "the table lets {module} name {name}, which is not below it"
            );
        }
    }
}

#[test]
fn the_arrows_and_the_lengths_hold() {
    let house = house();
    let mut faults = Vec::new();
    for file in sources() {
        let path = file.strip_prefix(root()).expect("under the root");
        let shown = path.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).expect("text");
        let lines = text.lines().count();
        if lines > MAX_LINES && !head(&text).contains(REASON) {
            faults.push(format!(
                "{shown}:1: {lines} lines: split it, or say \"{REASON} …\" in its first lines"
            ));
        }
        let module = module_of(path);
        if module == "lib" {
            continue;
        }
        let allowed = house.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            faults.push(format!(
                "{shown}:1: {module} is not in the table of ARCHITECTURE.md"
            ));
            continue;
        };
        for naming in namings(&text, depth(path)) {
            if naming.module != module && !allowed.contains(&&*naming.module) {
                faults.push(format!(
                    "{shown}:{}: {module} -> {} is no arrow of this house",
                    naming.line, naming.module
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn each_file_that_the_guides_name_is_there() {
    let project = root().join("..");
    let mut faults = Vec::new();
    let mut names = 0;
    for guide in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(project.join(guide)).expect("a guide");
        for (n, line) in text.lines().enumerate() {
            for name in line.split('`').skip(1).step_by(2).filter(|it| is_path(it)) {
                names += 1;
                // `path/NAME.rs` stands for any.
                if !name.contains("NAME") && !project.join(name).exists() {
                    faults.push(format!("{guide}:{}: there is no {name}", n + 1));
                }
            }
        }
    }
    assert!(names > 50, "only {names} names of files");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Whether a word between backticks is the path of a file or a folder of the project, and no command.
fn is_path(word: &str) -> bool {
    let folders = [
        "book/",
        "lab/",
        "localcloud/",
        "snippets/",
        "templates/",
        "tests/",
    ];
    folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(' ')
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The module in `src` that a file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.iter().nth(1).expect("under src");
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// How many `super::` lead from a file's module to the root of the crate.
fn depth(path: &Path) -> usize {
    let steps = path.iter().count() - 1;
    match path.file_name().is_some_and(|name| name == "mod.rs") {
        true => steps - 1,
        false => steps,
    }
}

/// The documentation of the module.
fn head(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of `src` that a file names by a path from the root, up to its tests.
fn namings(text: &str, depth: usize) -> Vec<Naming> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code: Vec<_> = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let code = code.join("\n");
    let up = "super::".repeat(depth);
    let mut namings = Vec::new();
    for prefix in ["crate::", &up] {
        for (at, _) in code.match_indices(prefix) {
            // A longer chain of `super::` is no path of this crate's; a name that ends in `crate` is no root.
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | ':')) {
                continue;
            }
            let line = code[..at].lines().count().max(1);
            for name in first_names(&code[at + prefix.len()..]) {
                let is_module = house().iter().any(|(module, _)| *module == name);
                let module = if is_module { name } else { "lib".to_owned() };
                namings.push(Naming { line, module });
            }
        }
    }
    namings
}

/// The first name of a path, or those of a group of paths in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim_start().chars().take_while(is_part).collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut open, mut names) = (1, vec![name(group)]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn a_path_is_read_in_each_of_its_forms() {
    let text = "//! crate::server\nuse crate::clock::{Clock, Millis};\nuse crate::{\n    ids,\n    wire::{a, b},\n    ACCOUNT,\n};\n\
                fn f() { super::super::sqs::f(); super::g(); $crate::x!(); } // crate::iam\n#[cfg(test)]\nmod tests { use crate::logs; }\n";
    let found: Vec<_> = namings(text, 2)
        .into_iter()
        .map(|naming| (naming.line, naming.module))
        .collect();
    let expected = [
        (2, "clock"),
        (3, "ids"),
        (3, "wire"),
        (3, "lib"),
        (8, "sqs"),
    ];
    assert_eq!(
        found,
        expected.map(|(line, module)| (line, module.to_owned()))
    );
}
