//! When a program stops, and how an experiment lets time pass.

use crate::connect::endpoint;
use crate::Result;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

// ANCHOR: until_ctrl_c
/// Runs `work` to its end, or to ^C.
pub async fn until_ctrl_c(work: impl Future<Output = Result>) -> Result {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => {
            println!("Stopped by ^C");
            Ok(())
        }
    }
}
// ANCHOR_END: until_ctrl_c

/// Lets `time` pass. The local cloud's clock is moved; any other endpoint makes the program wait.
pub async fn pass(time: Duration) {
    let moved = match endpoint() {
        Some(endpoint) => move_clock(&endpoint, time).await.unwrap_or(false),
        None => false,
    };
    if moved {
        println!("({time:?} pass at once: the local cloud's clock was moved)");
    } else {
        println!("(waiting {time:?})");
        tokio::time::sleep(time).await;
    }
}

/// Asks the local cloud to move its clock. False when whoever answers is no local cloud.
async fn move_clock(endpoint: &str, time: Duration) -> io::Result<bool> {
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let body = format!("{{\"advance_ms\": {}}}", time.as_millis());
    let request = format!(
        "POST /lab/clock HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
