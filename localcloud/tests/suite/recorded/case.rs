//! How a table of cases is written: see `localcloud/tests/recorded/README.md`.

use super::wire::Protocol;
use serde_json::Value;
use std::time::Duration;

/// One case of a table.
#[derive(Debug)]
pub struct Case {
    pub id: String,
    /// The protocol, if only one answers so.
    pub only: Option<Protocol>,
    /// The point of the case, in a sentence.
    pub says: String,
    /// Where and when AWS gave these answers.
    pub source: String,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Step {
    /// The clock of the local cloud goes on by so much.
    Clock(Duration),
    /// `given stream orders 2` or `given function worker {…}`: there is one, active.
    Given {
        kind: String,
        name: String,
        with: Value,
    },
    Call(Call),
}

#[derive(Debug)]
pub struct Call {
    pub service: String,
    pub operation: String,
    pub input: Value,
    /// Asked again until the answer is the expected one.
    pub again: bool,
    /// None: any answer that is no error.
    pub expected: Option<Expected>,
    /// The answer as the table has it.
    pub written: String,
}

#[derive(Clone, Debug)]
pub enum Expected {
    /// `= 201 {…}`: these fields among others, and this status if it is given.
    Answer { status: Option<u16>, fields: Value },
    /// `! 400 Code "message"`
    Error {
        /// None: any, written `!` alone.
        status: Option<u16>,
        code: String,
        message: String,
    },
}

impl Case {
    /// Whether the case moves the clock.
    pub fn moves_the_clock(&self) -> bool {
        let moves = |step: &Step| matches!(step, Step::Clock(_));
        self.steps.iter().any(moves)
    }
}

/// All cases of a table.
pub fn parse(service: &str, table: &str) -> Vec<Case> {
    let sections = table.split("\n## ").skip(1);
    sections.map(|section| case(service, section)).collect()
}

fn case(service: &str, section: &str) -> Case {
    let (heading, rest) = section.split_once('\n').expect("a heading, then the case");
    let (id, only) = match heading.split_once(" (") {
        Some((id, "json)")) => (id, Some(Protocol::Json)),
        Some((id, "query)")) => (id, Some(Protocol::Query)),
        Some(_) => panic!("{service}, case {heading}: no such protocol"),
        None => (heading, None),
    };
    let wrong = |what: &str| -> ! { panic!("{service}, case {id}: {what}") };
    let (mut prose, mut source, mut steps) = (Vec::new(), None, Vec::new());
    let mut statement = String::new();
    for line in rest.lines() {
        let Some(code) = line.strip_prefix("    ") else {
            match line.strip_prefix('*') {
                Some(text) => source = text.strip_suffix('*').map(str::to_owned),
                None if !line.is_empty() => prose.push(line),
                None => {}
            }
            continue;
        };
        let is_new = code.starts_with(|c: char| c.is_ascii_alphabetic() || c == '=' || c == '!');
        if is_new {
            add(service, id, &mut steps, &statement);
            statement.clear();
        }
        statement.push(' ');
        statement.push_str(code.trim());
    }
    add(service, id, &mut steps, &statement);
    let tested = steps
        .iter()
        .any(|step| matches!(step, Step::Call(call) if call.expected.is_some()));
    if !tested {
        wrong("expects no answer");
    }
    let Some(source) = source else {
        wrong("has no source");
    };
    Case {
        id: id.to_owned(),
        only,
        says: prose.join(" "),
        source,
        steps,
    }
}

fn add(service: &str, id: &str, steps: &mut Vec<Step>, statement: &str) {
    let statement = statement.trim();
    let wrong = |what: &str| -> ! { panic!("{service}, case {id}: {what}: {statement}") };
    let json = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| wrong(&error.to_string()))
    };
    if statement.is_empty() {
        return;
    }
    if let Some(time) = statement.strip_prefix("clock +") {
        let seconds = time.strip_suffix('s').and_then(|text| text.parse().ok());
        let Some(seconds) = seconds else {
            wrong("no time");
        };
        steps.push(Step::Clock(Duration::from_secs(seconds)));
        return;
    }
    if let Some(given) = statement.strip_prefix("given ") {
        let mut words = given.splitn(3, ' ');
        let mut next = || words.next().unwrap_or("{}");
        steps.push(Step::Given {
            kind: next().to_owned(),
            name: next().to_owned(),
            with: json(next()),
        });
        return;
    }
    if let Some(answer) = statement.strip_prefix(['=', '!']) {
        let Some(Step::Call(call)) = steps.last_mut() else {
            wrong("an answer to no call");
        };
        let answer = answer.trim();
        let (status, rest) = match answer.split_once(' ') {
            Some((status, rest)) => (status.parse().ok(), rest),
            None => (answer.parse().ok(), ""),
        };
        call.written = statement.to_owned();
        call.expected = Some(if statement.starts_with('=') {
            let fields = if status.is_some() { rest } else { answer };
            let fields = if fields.is_empty() { "{}" } else { fields };
            Expected::Answer {
                status,
                fields: json(fields),
            }
        } else {
            let rest = if status.is_some() { rest } else { answer };
            let (code, message) = rest.split_once(' ').unwrap_or((rest, "\"<any>\""));
            Expected::Error {
                status,
                code: code.to_owned(),
                message: json(message).as_str().unwrap_or_default().to_owned(),
            }
        });
        return;
    }
    let (again, call) = match statement.strip_prefix("until ") {
        Some(call) => (true, call),
        None => (false, statement),
    };
    let (operation, input) = call.split_once(' ').unwrap_or((call, "{}"));
    let (service, operation) = operation.split_once('.').unwrap_or((service, operation));
    steps.push(Step::Call(Call {
        service: service.to_owned(),
        operation: operation.to_owned(),
        input: json(input),
        again,
        expected: None,
        written: "= {}".to_owned(),
    }));
}
