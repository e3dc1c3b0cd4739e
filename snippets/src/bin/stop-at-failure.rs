//! A receiver that fails within a group works on nothing behind the failure: it hands back all that follows. Solves the exercise of the page
//! `book/10-groups.md`.
//!
//!     cargo run --bin stop-at-failure

// ANCHOR: all
use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, scratch_fifo_queue, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "stop").await?;
    for n in 1..=10 {
        sqs.send_message()
            .queue_url(&queue)
            .message_body(n.to_string())
            .message_group_id("A")
            .send()
            .await?;
    }

    let mut handled = Vec::new();
    let mut failed = false;
    for _ in 0..20 {
        let response = sqs
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .wait_time_seconds(1)
            .send()
            .await?;
        let mut messages = response.messages.unwrap_or_default().into_iter();
        while let Some(message) = messages.next() {
            let body = message.body.clone().unwrap_or_default();
            if body == "3" && !failed {
                println!("3 fails: it goes back, with all that follow");
                failed = true;
                for message in [message].into_iter().chain(messages.by_ref()) {
                    hand_back(&sqs, &queue, message).await?;
                }
            } else {
                handled.push(body);
                delete(&sqs, &queue, message).await?;
            }
        }
        if handled.len() >= 10 {
            break;
        }
    }
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("Handled: {}", handled.join(" "));
    assert_eq!(handled.join(" "), "1 2 3 4 5 6 7 8 9 10");
    Ok(())
}

async fn hand_back(sqs: &Client, queue: &str, message: Message) -> Result {
    sqs.change_message_visibility()
        .queue_url(queue)
        .set_receipt_handle(message.receipt_handle)
        .visibility_timeout(0)
        .send()
        .await?;
    Ok(())
}
// ANCHOR_END: all
