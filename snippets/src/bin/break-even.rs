//! The break-even of a queue and a stream is where their costs cross. An experiment of the page `book/13-both.md`.
//!
//!     cargo run --bin break-even
//!     cargo run --bin break-even -- --ten

use snippets::cost::{break_even, on_demand, provisioned, queue, Flow};
use snippets::{flag, println, Result};

const SIZES: [u32; 6] = [100, 1_000, 10_000, 30_000, 65_536, 1_048_576];

fn main() -> Result {
    let batch = if flag("ten", "Ten messages share a request to SQS") { 10 } else { 1 };
    println!("Above so many messages a second, a stream costs less than a standard queue:");
    println!("{:>9} {:>12} {:>12}", "bytes", "provisioned", "on demand");
    for size in SIZES {
        let flow = Flow { size, batch, ..Flow::default() };
        let rates = [rate(&flow, provisioned)?, rate(&flow, on_demand)?];
        println!("{size:>9} {:>12} {:>12}", rates[0], rates[1]);
    }
    Ok(())
}

// ANCHOR: crosses
/// The break-even, checked on both sides of it.
fn rate(flow: &Flow, stream: fn(&Flow) -> Result<f64>) -> Result<String> {
    let saved = |rate: f64| -> Result<f64> {
        let flow = flow.at(rate);
        Ok(queue(&flow, "price-standard")? - stream(&flow)?)
    };
    let Some(rate) = break_even(flow, stream)? else {
        for rate in [1.0, 10.0, 1e3, 1e5] {
            assert!(saved(rate)? < 0.0, "never: the queue is cheaper at {rate}");
        }
        return Ok("never".to_owned());
    };
    assert!(saved(rate)?.abs() < 0.01, "there, both cost the same");
    for times in [0.1, 0.5, 0.9] {
        assert!(saved(rate * times)? < 0.0, "below, the queue is cheaper");
    }
    for times in [1.1, 2.0, 10.0, 1e3] {
        assert!(saved(rate * times)? > 0.0, "above, the stream is cheaper");
    }
    Ok(format!("{rate:.1}"))
}
// ANCHOR_END: crosses
