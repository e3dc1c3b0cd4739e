//! The templates of the lab.

use clap::{Arg, Command};

// ANCHOR: templates
/// A CloudFormation template. Each program carries it along as a text and runs in any folder.
#[derive(Clone, Copy)]
pub struct Template {
    /// The name of its file under `templates/`, without the ending.
    pub name: &'static str,
    pub stack: &'static str,
    /// The parameter that names what the template creates, and the name.
    pub parameter: (&'static str, &'static str),
    pub body: &'static str,
}

pub const TEMPLATES: [Template; 5] = [
    Template {
        name: "standard-queue",
        stack: "SQSStandardQueue",
        parameter: ("QueueName", "StandardQueue"),
        body: include_str!("../../templates/standard-queue.yaml"),
    },
    Template {
        name: "fifo-queue",
        stack: "SQSFIFOQueue",
        parameter: ("QueueName", "FIFOQueue.fifo"),
        body: include_str!("../../templates/fifo-queue.yaml"),
    },
    Template {
        name: "kinesis-stream",
        stack: "KinesisStream",
        parameter: ("StreamName", "KinesisStream"),
        body: include_str!("../../templates/kinesis-stream.yaml"),
    },
    Template {
        name: "sqs-function",
        stack: "SQSFunction",
        parameter: ("FunctionName", "SQSFunction"),
        body: include_str!("../../templates/sqs-function.yaml"),
    },
    Template {
        name: "kinesis-function",
        stack: "KinesisFunction",
        parameter: ("FunctionName", "KinesisFunction"),
        body: include_str!("../../templates/kinesis-function.yaml"),
    },
];
// ANCHOR_END: templates

impl Template {
    /// The template that the command line names, or the first.
    pub fn from_command_line() -> Self {
        let names = TEMPLATES.map(|template| template.name);
        let argument = Arg::new("template").help("The template to create a stack from");
        let argument = argument.value_parser(names).default_value(names[0]);
        let matches = crate::args::parsed(Command::new("program").arg(argument));
        let name = matches.get_one::<String>("template");
        let named = |template: &Self| Some(template.name) == name.map(String::as_str);
        TEMPLATES.into_iter().find(named).unwrap_or(TEMPLATES[0])
    }
}
