//! The cost of a queue and of a stream.

use crate::quotas::number;
use crate::Result;
use clap::Parser;

const MILLION: f64 = 1e6;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The messages to pay for.
#[derive(Parser, Clone, Copy)]
pub struct Flow {
    /// How many a second
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = positive)]
    pub messages_per_second: f64,

    /// The bytes of each
    #[arg(long, value_name = "BYTES", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub size: u32,

    /// How many applications each need every message; more than five of a stream need enhanced fan-out, not reckoned
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub consumers: u32,

    /// How many messages share a request to SQS
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub batch: u32,

    /// The hours to pay for: 730 are a month
    #[arg(long, value_name = "N", default_value_t = 730.0, value_parser = positive)]
    pub hours: f64,
}

impl Flow {
    /// The same messages, so many a second.
    pub fn at(self, messages_per_second: f64) -> Self {
        Self { messages_per_second, ..self }
    }

    /// The messages of all the hours.
    pub fn messages(&self) -> f64 {
        self.messages_per_second * 3600.0 * self.hours
    }

    fn size(&self) -> f64 {
        self.size.into()
    }

    fn consumers(&self) -> f64 {
        self.consumers.into()
    }
}

/// The flow of a command line without options.
impl Default for Flow {
    fn default() -> Self {
        Self::parse_from([""])
    }
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err("a number above 0, at most 1000000000".to_owned()),
    }
}

// ANCHOR: queue
/// The requests to SQS for each message: to send it, to receive it, to delete it. A batch shares them. Every consumer
/// has a queue of its own.
pub fn requests(flow: &Flow) -> Result<f64> {
    let fit = (number("batch-size")? / flow.size()).floor();
    let batch = f64::from(flow.batch).min(fit);
    let units = (batch * flow.size() / number("price-unit")?).ceil();
    Ok((units + units + 1.0) / batch * flow.consumers())
}

/// The dollars for queues whose million requests cost the row `price`.
pub fn queue(flow: &Flow, price: &str) -> Result<f64> {
    Ok(flow.messages() * requests(flow)? / MILLION * number(price)?)
}
// ANCHOR_END: queue

// ANCHOR: stream
/// The shards that take the messages in and give them to each consumer.
pub fn shards_needed(flow: &Flow) -> Result<f64> {
    let bytes = flow.messages_per_second * flow.size();
    let limits = [
        flow.messages_per_second / number("shard-in-records")?,
        bytes / number("shard-in-bytes")?,
        bytes * flow.consumers() / number("shard-out-bytes")?,
    ];
    Ok(limits.into_iter().fold(1.0, f64::max).ceil())
}

/// The dollars for a stream with just enough shards.
pub fn provisioned(flow: &Flow) -> Result<f64> {
    let shard_hours = shards_needed(flow)? * flow.hours;
    let units = flow.messages() * (flow.size() / number("price-put-unit-size")?).ceil();
    Ok(shard_hours * number("price-shard-hour")? + units / MILLION * number("price-put-unit")?)
}

/// The dollars for a stream on demand.
pub fn on_demand(flow: &Flow) -> Result<f64> {
    let step = number("price-on-demand-in-size")?;
    let written = flow.messages() * (flow.size() / step).ceil() * step / GB;
    let read = flow.messages() * flow.size() * flow.consumers() / GB;
    Ok(flow.hours * number("price-on-demand-hour")?
        + written * number("price-on-demand-in")?
        + read * number("price-on-demand-out")?)
}
// ANCHOR_END: stream

// ANCHOR: break_even
/// The messages a second above which this stream costs less than standard queues. None if it doesn't below a million.
pub fn break_even(flow: &Flow, stream: fn(&Flow) -> Result<f64>) -> Result<Option<f64>> {
    let queue_is_cheaper = |rate| -> Result<bool> {
        let flow = flow.at(rate);
        Ok(queue(&flow, "price-standard")? < stream(&flow)?)
    };
    let (mut queue_up_to, mut stream_from) = (0.0, MILLION);
    if queue_is_cheaper(stream_from)? {
        return Ok(None);
    }
    for _ in 0..60 {
        let middle = (queue_up_to + stream_from) / 2.0;
        if queue_is_cheaper(middle)? {
            queue_up_to = middle;
        } else {
            stream_from = middle;
        }
    }
    Ok(Some(stream_from))
}
// ANCHOR_END: break_even
