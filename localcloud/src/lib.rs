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
//! Calls go down only: `http` finds the service, the service works on its state, the state asks the clock and tells
//! `events` what happened.
//! Everything is in memory and ends with the value returned by [`LocalCloud::start`].

pub mod clock;
pub mod cloudformation;
mod control;
pub mod events;
pub mod faults;
mod feed;
mod http;
pub mod iam;
pub mod ids;
pub mod kinesis;
pub mod lambda;
pub mod logs;
pub mod sqs;
pub mod sts;
pub mod testing;
pub mod wire;

use clock::{Clock, Pace};
use cloudformation::CloudFormation;
use events::Events;
use faults::Faults;
use iam::Iam;
use kinesis::Kinesis;
use lambda::mapping::Mappings;
use lambda::Lambda;
use logs::Logs;
use sqs::Sqs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

// Differs from AWS: one-account: there is one account in one region, over plain HTTP.
/// The one account of the local cloud.
pub const ACCOUNT: &str = "000000000000";
/// The one region of the local cloud.
pub const REGION: &str = "us-east-1";
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
    /// What a browser gets: any GET that is neither AWS's nor under `/lab`.
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
    cloud: Arc<Cloud>,
    runtime: Option<Runtime>,
}

/// What all requests share.
pub(crate) struct Cloud {
    seed: u64,
    progress: Option<PathBuf>,
    clock: Clock,
    events: Events,
    faults: Faults,
    sqs: Sqs,
    kinesis: Kinesis,
    lambda: Lambda,
    mappings: Mappings,
    iam: Iam,
    logs: Logs,
    cloudformation: CloudFormation,
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
        let events = Events::new(clock.clone());
        let faults = Faults::new(events.clone());
        let sqs = Sqs::new(clock.clone(), events.clone(), faults.clone(), options.seed);
        let kinesis = Kinesis::new(clock.clone(), events.clone(), faults.clone());
        let iam = Iam::new(clock.clone(), faults.clone(), options.seed);
        let logs = Logs::new(clock.clone(), events.clone());
        let endpoint = format!("http://{address}");
        let lambda = Lambda::new(
            clock.clone(),
            events.clone(),
            iam.clone(),
            logs.clone(),
            endpoint,
            options.seed,
        );
        let mappings = Mappings::new(
            clock.clone(),
            events.clone(),
            sqs.clone(),
            kinesis.clone(),
            Arc::new(lambda.clone()),
            Arc::new(iam.clone()),
            options.seed,
        );
        let cloud = Arc::new(Cloud {
            seed: options.seed,
            progress: options.progress,
            cloudformation: CloudFormation::new(
                clock.clone(),
                sqs.clone(),
                kinesis.clone(),
                iam.clone(),
                logs.clone(),
                mappings.clone(),
                options.seed,
            ),
            lambda,
            mappings,
            clock,
            events,
            faults,
            sqs,
            kinesis,
            iam,
            logs,
        });
        runtime.spawn(feed::keep(cloud.clone()));
        runtime.spawn(http::serve(listener, cloud.clone(), options.pages));
        Ok(Self {
            address,
            cloud,
            runtime: Some(runtime),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What goes into `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seed(&self) -> u64 {
        self.cloud.seed
    }

    pub fn clock(&self) -> &Clock {
        &self.cloud.clock
    }

    pub fn faults(&self) -> &Faults {
        &self.cloud.faults
    }

    /// The pages that the reader has done, in the order of their doing.
    pub fn progress(&self) -> Vec<String> {
        control::progress(&self.cloud)
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.cloud.lambda.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
