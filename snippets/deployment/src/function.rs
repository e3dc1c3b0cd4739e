//! The functions of the lab.

use clap::{Parser, ValueEnum};
use snippets::{is_scratch, named, options};

// ANCHOR: function
/// A function of the lab. Its program, its template and its name on the command line are the same.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Function {
    SqsFunction,
    KinesisFunction,
}
// ANCHOR_END: function

#[derive(Parser)]
struct Choice {
    function: Function,
}

impl Function {
    /// The function that the command line names, for a program that takes nothing else.
    pub fn from_command_line() -> Self {
        options::<Choice>().function
    }

    /// Whether a function of the lab or of an experiment has this name.
    pub fn is_named(name: &str) -> bool {
        let mut of_lab = Self::value_variants().iter();
        of_lab.any(|known| known.name() == name) || is_scratch(name)
    }

    /// The program that is its code.
    pub fn program(self) -> &'static str {
        match self {
            Self::SqsFunction => "sqs-function",
            Self::KinesisFunction => "kinesis-function",
        }
    }

    pub fn name(self) -> String {
        named(match self {
            Self::SqsFunction => "SQSFunction",
            Self::KinesisFunction => "KinesisFunction",
        })
    }

    /// The stack with its role and its log group has its name.
    pub fn stack(self) -> String {
        self.name()
    }

    /// The queue or the stream that is to trigger it, without the name of the learner.
    pub fn source_name(self) -> &'static str {
        match self {
            Self::SqsFunction => "StandardQueue",
            Self::KinesisFunction => "KinesisStream",
        }
    }

    pub fn source(self) -> String {
        named(self.source_name())
    }
}
