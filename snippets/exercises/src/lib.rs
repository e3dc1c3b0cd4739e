//! Whether the exercise of a page is done. The programs `check` and `check-functions` ask, one function a page.

mod page;
mod progress;
pub mod queues;
pub mod start;
pub mod streams;

use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_kinesis as kinesis;
use aws_sdk_sqs as sqs;
use aws_sdk_sts as sts;
use snippets::{eprintln, println, Result};
use std::process::ExitCode;

pub use page::{find, title, PAGES};
pub use progress::done as done_before;

/// The outcome of a look at the cloud.
pub enum Verdict {
    Done(String),
    NotYet {
        missing: String,
        /// The most likely mistake.
        mistake: Option<String>,
    },
}

/// The exercise is done: this is there.
pub fn done(what: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Done(what.into()))
}

/// The exercise isn't done: this is there instead.
pub fn missing(what: impl Into<String>) -> Result<Verdict> {
    let (missing, mistake) = (what.into(), None);
    Ok(Verdict::NotYet { missing, mistake })
}

/// The exercise isn't done, and what is there instead tells of a mistake.
pub fn mistake(what: impl Into<String>, mistake: impl Into<String>) -> Result<Verdict> {
    let (missing, mistake) = (what.into(), Some(mistake.into()));
    Ok(Verdict::NotYet { missing, mistake })
}

/// A client for each service that the first pages use.
pub struct Clients {
    pub cloudformation: cloudformation::Client,
    pub kinesis: kinesis::Client,
    pub sqs: sqs::Client,
    pub sts: sts::Client,
}

impl Clients {
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            cloudformation: cloudformation::Client::new(config),
            kinesis: kinesis::Client::new(config),
            sqs: sqs::Client::new(config),
            sts: sts::Client::new(config),
        }
    }
}

/// Prints the verdict. A page that is done is noted; for one that isn't, the page's hint is printed.
pub fn conclude(page: &str, verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict::Done(what) => {
            println!("Done: {what}");
            if let Err(error) = progress::note(page) {
                eprintln!("(progress.txt can't be written: {error})");
            }
            ExitCode::SUCCESS
        }
        Verdict::NotYet { missing, mistake } => {
            println!("Not yet: {missing}");
            if let Some(mistake) = mistake {
                println!("A usual mistake: {mistake}");
            }
            if let Some(hint) = page::hint(page) {
                println!("The page's hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// `1 message`, `2 messages`.
pub fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
