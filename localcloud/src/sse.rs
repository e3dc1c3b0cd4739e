//! `/lab/events`: what happens in the local cloud, as server-sent events. No part of AWS.
//!
//! A listener who names the last event it has seen goes on after it, as long as the feed still has what followed. Any
//! other begins with the state of the whole cloud.

use crate::clock::Millis;
use crate::cloud::{Cloud, Clouds};
use crate::events::{Listener, State};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::BodyExt;
use hyper::header::{HeaderValue, CACHE_CONTROL, CONTENT_TYPE};
use hyper::Response;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{timeout, Instant};

/// After so long without an event, a comment shows that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A listener who takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long events are kept when nobody listens any more, by the machine's clock.
const LINGER: Duration = Duration::from_secs(60);
/// How often the queues are looked at for messages that come back, in milliseconds of the local cloud.
const LOOK: Millis = 50;

/// Answers a request for the feed, from a listener who has seen what happened up to `last`, the id of an event. None when
/// too many listen.
pub fn listen(clouds: &Clouds, last: Option<&str>) -> Option<Response<Body>> {
    let (cloud, mut clouds) = (clouds.now(), clouds.watch());
    let listener = cloud.events.listen()?;
    let last = last.and_then(|id| listener.find(id));
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    let (is_here, gone) = oneshot::channel::<()>();
    let body = body.map_frame(move |frame| {
        let _until_the_body_is_dropped = &is_here;
        frame
    });
    tokio::spawn(async move {
        tokio::select! {
            _ = gone => {}
            () = send_all(cloud, &mut clouds, listener, last, sender) => {}
        }
    });
    let mut response = Response::new(Body::new(body));
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Some(response)
}

/// Sends what happens in this cloud, and in those that take its place: each begins with its state.
async fn send_all(
    mut cloud: Arc<Cloud>,
    clouds: &mut watch::Receiver<Arc<Cloud>>,
    mut listener: Listener,
    mut last: Option<u64>,
    mut sender: Sender<Bytes>,
) {
    loop {
        let next = tokio::select! {
            () = send(&cloud, &mut listener, last, &mut sender) => return,
            Ok(next) = clouds.wait_for(|now| !Arc::ptr_eq(now, &cloud)) => next.clone(),
        };
        let Some(first) = next.events.listen() else {
            return;
        };
        (cloud, listener, last) = (next, first, None);
    }
}

/// Sends what happens after the event of the number `last`, or the state and what happens then.
async fn send(
    cloud: &Cloud,
    listener: &mut Listener,
    mut last: Option<u64>,
    sender: &mut Sender<Bytes>,
) {
    loop {
        let frames = match last {
            None => {
                let (number, frame) = begin(cloud, listener);
                last = Some(number);
                vec![frame]
            }
            Some(number) => match timeout(KEEP_ALIVE, listener.next(number)).await {
                Ok(frames) => {
                    last = frames.as_ref().map(|frames| number + frames.len() as u64);
                    frames.unwrap_or_default()
                }
                Err(_) => vec![Bytes::from_static(b":\n\n")],
            },
        };
        for frame in frames {
            if !matches!(timeout(PATIENCE, sender.send_data(frame)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// The state of the cloud between two events, as it is sent, and the number of the first of the two. A service may be
/// called while another one's lock is held in this order only.
fn begin(cloud: &Cloud, listener: &Listener) -> (u64, Bytes) {
    let begin = |streams| {
        cloud.mappings.with_snapshot(|mappings| {
            cloud.lambda.with_snapshot(|functions| {
                cloud.sqs.with_snapshot(|queues| {
                    listener.begin(&State {
                        queues,
                        streams,
                        functions,
                        mappings,
                    })
                })
            })
        })
    };
    cloud.kinesis.with_snapshot(begin)
}

/// While somebody listens, notices what the passing of time does.
pub async fn keep(mut clouds: watch::Receiver<Arc<Cloud>>) {
    loop {
        let cloud = clouds.borrow_and_update().clone();
        tokio::select! {
            () = look_after(&cloud) => {}
            _ = clouds.changed() => {}
        }
    }
}

async fn look_after(cloud: &Cloud) {
    loop {
        cloud.events.wanted().await;
        let mut heard = Instant::now();
        while heard.elapsed() < LINGER {
            if cloud.events.has_listeners() {
                heard = Instant::now();
            }
            cloud.events.emit_clock();
            cloud.sqs.pass();
            let next = cloud.clock.now() + LOOK;
            cloud.clock.idle_until(next).await;
        }
        cloud.events.rest();
    }
}
