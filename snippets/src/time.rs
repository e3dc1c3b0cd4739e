//! When a program stops, and how an experiment lets time pass.

use crate::connect::endpoint;
use crate::print::reader_gone;
use crate::{println, Result};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

// ANCHOR: until_ctrl_c
/// Runs `work` to its end, or to ^C.
pub async fn until_ctrl_c(work: impl Future<Output = Result>) -> Result {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => {
            println!("Stopped by ^C");
            Ok(())
        }
        () = reader_gone() => Ok(()), // such as `head`
    }
}
// ANCHOR_END: until_ctrl_c

/// Lets `time` pass. The local cloud's clock is moved; any other endpoint makes the program wait.
pub async fn pass(time: Duration) {
    let moved = match endpoint() {
        Some(endpoint) => timeout(PATIENCE, move_clock(&endpoint, time))
            .await
            .is_ok_and(|moved| moved.unwrap_or(false)),
        None => false,
    };
    if moved {
        println!("({time:?} pass at once: the local cloud's clock was moved)");
    } else {
        println!("(waiting {time:?})");
        tokio::time::sleep(time).await;
    }
}

/// A local cloud waits for its functions before it moves its clock, and answers within this time.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks the local cloud to move its clock. False when whoever answers is no local cloud.
async fn move_clock(endpoint: &str, time: Duration) -> Result<bool, Failure> {
    let url: Uri = endpoint.parse()?;
    let host = url.authority().ok_or("no host")?.as_str();
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let body = format!("{{\"advance_ms\": {}}}", time.as_millis());
    let request = Request::post("/lab/clock").header(HOST, host).body(body)?;
    let answer = sender.send_request(request).await;
    connection.abort();
    Ok(answer?.status() == StatusCode::OK)
}
