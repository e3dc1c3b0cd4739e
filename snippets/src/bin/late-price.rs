//! A receiver that was too slow must not undo what came after. Solves the exercise of the page `book/12-not-once.md`.
//!
//!     cargo run --bin late-price

// ANCHOR: all
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName::SequenceNumber};
use aws_sdk_sqs::Client;
use snippets::{
    connect, delete, no_options, pass, println, receive_one, scratch_fifo_queue, Result,
};
use std::time::Duration;

/// The price of a coffee, and the message that set it.
#[derive(Default)]
struct Price {
    price: String,
    newest: u128,
}

impl Price {
    /// Sets the price, unless a later message has set it.
    fn set(&mut self, message: &Message) -> Result {
        let attributes = message.attributes().ok_or("no attributes")?;
        let number = attributes.get(&SequenceNumber).ok_or("no number")?;
        let number = number.parse().map_err(|_| "not a number")?;
        let price = message.body().unwrap_or_default();
        if number < self.newest {
            println!("{price}: too late");
            return Ok(());
        }
        println!("{price}: set");
        self.newest = number;
        self.price = price.to_owned();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "late-price").await?;
    for price in ["2.50", "2.80"] {
        sqs.send_message()
            .queue_url(&queue)
            .message_body(price)
            .message_group_id("coffee")
            .send()
            .await?;
    }

    let mut coffee = Price::default();
    let slow = receive_one(&sqs, &queue, 5).await?.ok_or("nothing came")?;
    pass(Duration::from_secs(6)).await;
    for _ in 0..2 {
        let message = receive_one(&sqs, &queue, 5).await?.ok_or("it is lost")?;
        coffee.set(&message)?;
        delete(&sqs, &queue, message).await?;
    }
    coffee.set(&slow)?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    assert_eq!(coffee.price, "2.80", "the latest price");
    Ok(())
}
// ANCHOR_END: all
