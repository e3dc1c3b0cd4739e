//! What the same messages cost through queues and through a stream. It asks no cloud. Page: `book/13-both.md`.
//!
//!     cargo run --bin cost -- --messages-per-second 100 --size 1000

use snippets::cost::{break_even, on_demand, provisioned, queue, requests, shards_needed, Flow};
use snippets::{options, println, Result};

fn main() -> Result {
    let flow: Flow = options();
    println!(
        "{} messages a second of {} bytes, consumers: {}, hours: {}",
        flow.messages_per_second, flow.size, flow.consumers, flow.hours
    );
    let [standard, fifo] = [queue(&flow, "price-standard")?, queue(&flow, "price-fifo")?];
    let millions = flow.messages() * requests(&flow)? / 1e6;
    let requests = format!("{millions:.1} million requests");
    let shards = format!("shards: {}", shards_needed(&flow)?);
    show("SQS, standard queue", standard, &requests);
    show("SQS, FIFO queue", fifo, &requests);
    show("Kinesis, provisioned", provisioned(&flow)?, &shards);
    show("Kinesis, on demand", on_demand(&flow)?, "shards: by AWS");
    compare("provisioned", break_even(&flow, provisioned)?);
    compare("on demand", break_even(&flow, on_demand)?);
    println!("Prices change: check those of book/quotas.html before you rely on this");
    Ok(())
}

fn show(service: &str, dollars: f64, what: &str) {
    println!("{service:21} ${dollars:>10.2}  {what}");
}

fn compare(kind: &str, break_even: Option<f64>) {
    match break_even {
        Some(rate) => println!(
            "Kinesis {kind} is cheaper than standard queues above {rate:.1} messages a second"
        ),
        None => println!("Kinesis {kind} is never cheaper than standard queues"),
    }
}
