//! The embedded local cloud of *Queues & Streams*: an AWS-compatible endpoint on loopback that shows how SQS
//! delivers: unordered and repeated deliveries, short polls that miss, messages that come back; and how Kinesis
//! keeps: records for everyone to read, shard by shard, within limits.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let cloud = localcloud::LocalCloud::start(localcloud::Options::default())?;
//! println!("export AWS_ENDPOINT_URL={}", cloud.endpoint());
//! # Ok(())
//! # }
//! ```
//!
//! Calls go down only: `server` takes a request, `service` finds the row of the service that it names, the service works on
//! its state, the state asks the clock and tells `events` what happened. `tests/suite/structure.rs` has the whole house.
//! Everything is in memory and ends with the value returned by [`LocalCloud::start`].

#![warn(missing_docs)]

pub mod account;
pub mod client;
pub mod clock;
mod cloud;
pub mod cloudformation;
pub mod events;
pub mod faults;
mod guard;
pub mod iam;
pub mod ids;
#[allow(
    missing_docs,
    reason = "a stream's fields and states have the names that AWS gives them"
)]
pub mod kinesis;
mod lab_api;
pub mod lambda;
mod lock;
pub mod logs;
pub mod quotas;
mod server;
mod service;
pub mod sqs;
mod sse;
pub mod sts;
pub mod testing;
pub mod wire;

pub use account::{ACCOUNT, REGION};
use clock::{Clock, Pace};
use cloud::{Clouds, Lasting};
use faults::Faults;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Where the local cloud listens unless it is told otherwise.
pub const DEFAULT_PORT: u16 = 4566;

/// How to start a [`LocalCloud`].
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Decides every random choice of the local cloud: where a message is kept, what a short poll sees.
    pub seed: u64,
    /// How the clock goes.
    pub pace: Pace,
    /// The file with the names of the pages that the reader has done, one a line. It need not exist.
    pub progress: Option<PathBuf>,
    /// The pages for a browser: they answer any GET that is neither AWS's nor under `/lab`.
    pub pages: Option<axum::Router>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            pace: Pace::Machine,
            progress: None,
            pages: None,
        }
    }
}

/// A running local cloud. It stops when it is dropped.
pub struct LocalCloud {
    address: SocketAddr,
    clouds: Arc<Clouds>,
    runtime: Option<Runtime>,
}

impl LocalCloud {
    /// Listens on loopback and serves from threads of its own.
    ///
    /// # Errors
    ///
    /// The port is taken, or the system has no threads or sockets left.
    pub fn start(options: Options) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("localcloud")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)))?;
        let address = listener.local_addr()?;
        let clock = Clock::with_pace(options.pace);
        let clouds = Arc::new(Clouds::new(Lasting {
            seed: options.seed,
            progress: options.progress,
            clock,
            endpoint: format!("http://{address}"),
        }));
        runtime.spawn(sse::keep(clouds.watch()));
        runtime.spawn(server::serve(listener, clouds.clone(), options.pages));
        Ok(Self {
            address,
            clouds,
            runtime: Some(runtime),
        })
    }

    /// Where it listens: a port of 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The seed of its random choices: [`Options::seed`].
    pub fn seed(&self) -> u64 {
        self.clouds.lasting.seed
    }

    /// The clock that all its services go by.
    pub fn clock(&self) -> &Clock {
        &self.clouds.lasting.clock
    }

    /// The faults that wait. [`Faults::add`] asks for one.
    pub fn faults(&self) -> Faults {
        self.clouds.now().faults.clone()
    }

    /// The contents of the cloud as `/lab/status` shows them: the queues with their counts, the streams, the functions and
    /// so on.
    /// Not to be called from an async function.
    ///
    /// # Errors
    ///
    /// It doesn't answer within a minute.
    pub fn status(&self) -> io::Result<serde_json::Value> {
        let request = hyper::Request::get("/lab/status").body(Default::default());
        let request = request.map_err(io::Error::other)?;
        let answer = client::ask(&self.address.to_string(), request, Duration::from_secs(60))?;
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// The pages that the reader has done, in the order of their doing.
    pub fn progress(&self) -> Vec<String> {
        lab_api::progress(&self.clouds.now())
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.clouds.now().lambda.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
