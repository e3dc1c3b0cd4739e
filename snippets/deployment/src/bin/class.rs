//! Shows how far each learner of a class is who shares an account, the last first. Page: `book/room.md`.
//!
//!     cargo run --bin class
//!     cargo run --bin class -- alice bob carol

use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_kinesis as kinesis;
use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use clap::Parser;
use snippets::{connect, options, println, Result};
use std::collections::BTreeMap;

// ANCHOR: pages
/// Each page, what is there of a learner who has come so far (stacks, queues, streams, functions), and the experiments
/// of which something is there while they run. What two pages make counts for the first of them.
#[rustfmt::skip]
const PAGES: &[(&str, &[&str], &[&str])] = &[
    ("02-create", &["SQSStandardQueue", "StandardQueue"], &["create-twice"]),
    ("03-send", &[], &["send-one", "order", "send-later"]),
    ("04-receive", &[], &["two-receivers", "short-poll", "count"]),
    ("05-visibility", &[], &["visibility", "extend", "old-handle"]),
    ("06-dead-letters", &[], &["dead-letters", "orders"]),
    ("07-batch", &[], &["batch"]),
    ("08-once", &[], &["once"]),
    ("09-fifo", &["SQSFIFOQueue", "FIFOQueue.fifo"], &["in-order"]),
    ("10-groups", &[], &["groups", "parallel", "stop"]),
    ("11-deduplication", &[], &["deduplication", "two-orders", "changed"]),
    ("12-not-once", &[], &["not-once", "late-price"]),
    ("13-both", &[], &["both"]),
    ("14-put", &["KinesisStream"], &["which-shard", "every-shard"]),
    ("15-get", &[], &["from-where", "old-iterator", "retention"]),
    ("16-lost-records", &[], &["lost-records", "mended"]),
    ("17-put-many", &[], &["put-many", "reordered"]),
    ("18-hot-keys", &[], &["hot-keys", "tills", "more-readers"]),
    ("19-reshard", &[], &["reshard", "split"]),
    ("20-checkpoints", &[], &["before-or-after"]),
    ("21-fan-out", &[], &["fan-out", "same-consumer"]),
    ("22-sqs-function", &["SQSFunction"], &["who-deletes"]),
    ("23-half-a-batch", &[], &["half-a-batch", "picky"]),
    ("24-poison", &[], &["poison", "dead-letters"]),
    ("25-scaling", &[], &["scaling", "pause"]),
    ("26-kinesis-function", &["KinesisFunction"], &[]),
    ("27-blocked-shard", &[], &["blocked-shard"]),
    ("28-least-privilege", &[], &["least-privilege", "orders", "salaries"]),
];
// ANCHOR_END: pages

#[derive(Parser)]
struct Class {
    /// The LAB_NAMEs of the class, to see also who has not begun
    learners: Vec<String>,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let learners = options::<Class>().learners;
    let names = names(&connect().await).await?;
    let begun = names.iter().filter_map(|name| sign(name));
    let mut furthest: BTreeMap<&str, Option<Sign>> = BTreeMap::new();
    furthest.extend(learners.iter().map(|learner| (&**learner, None)));
    for (learner, sign) in begun {
        let known = furthest.entry(learner).or_default();
        *known = (*known).max(Some(sign));
    }
    if furthest.is_empty() {
        println!("Nobody has begun: there is nothing of the lab");
        return Ok(());
    }
    let mut rows: Vec<_> = furthest.into_iter().collect();
    rows.sort_by_key(|(_, sign)| *sign);
    println!("{:20}  {:12}  judged from", "page", "learner");
    for (learner, sign) in rows {
        let (page, name) = sign.unwrap_or(("not begun", ""));
        let learner = if learner.is_empty() { "(no name)" } else { learner };
        let row = format!("{page:20}  {learner:12}  {name}");
        println!("{}", row.trim_end());
    }
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: sign
/// A page, and the name of what shows that its learner has come so far.
type Sign<'a> = (&'static str, &'a str);

/// Whose this is, and what it shows. None for what isn't of the lab.
fn sign(name: &str) -> Option<(&str, Sign<'_>)> {
    let of_experiment = experiment(name);
    let (learner, thing) = match of_experiment {
        Some(found) => found,
        None => name.rsplit_once('-').unwrap_or(("", name)),
    };
    let (page, ..) = PAGES.iter().find(|(_, lasting, experiments)| {
        let things = if of_experiment.is_some() { experiments } else { lasting };
        things.contains(&thing)
    })?;
    Some((learner, (page, name)))
}

/// `alice` and `order` for `alice-experiment-order-KXWQBA`.
fn experiment(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let (name, letters) = name.rsplit_once('-')?;
    let (learner, experiment) = name.rsplit_once("experiment-")?;
    let is_scratch = letters.len() == 6 && letters.bytes().all(|b| b.is_ascii_uppercase());
    is_scratch.then_some((learner.trim_end_matches('-'), experiment))
}
// ANCHOR_END: sign

// ANCHOR: names
/// The names of all stacks, queues, streams and functions in the region, whoever made them.
async fn names(config: &SdkConfig) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let cfn = cloudformation::Client::new(config);
    let mut stacks = cfn.describe_stacks().into_paginator().items().send();
    while let Some(stack) = stacks.next().await {
        names.extend(stack?.stack_name);
    }
    let sqs = sqs::Client::new(config);
    let mut urls = sqs.list_queues().max_results(1000).into_paginator().items().send();
    while let Some(url) = urls.next().await {
        names.extend(url?.rsplit('/').next().map(str::to_owned));
    }
    let kinesis = kinesis::Client::new(config);
    let mut pages = kinesis.list_streams().into_paginator().send();
    while let Some(page) = pages.next().await {
        names.extend(page?.stream_names);
    }
    let lambda = lambda::Client::new(config);
    let mut functions = lambda.list_functions().into_paginator().items().send();
    while let Some(function) = functions.next().await {
        names.extend(function?.function_name);
    }
    Ok(names)
}
// ANCHOR_END: names

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn a_name_tells_the_learner_and_the_page() {
        for (name, learner, page) in [
            ("StandardQueue", "", "02-create"),
            ("alice-SQSFIFOQueue", "alice", "09-fifo"),
            ("anna-maria-KinesisStream", "anna-maria", "14-put"),
            ("experiment-extend-KXWQBA", "", "05-visibility"),
            ("bob-experiment-two-orders-KXWQBA.fifo", "bob", "11-deduplication"),
        ] {
            assert_eq!(sign(name), Some((learner, (page, name))));
        }
    }

    #[test]
    fn what_is_not_of_the_lab_is_nobodys() {
        for name in ["invoices", "StandardQueueForInvoices", "shop-order", "experiment-order-7"] {
            assert_eq!(sign(name), None, "{name}");
        }
    }
}
