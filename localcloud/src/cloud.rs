//! The services, each with its own state, which all requests share; and how an empty cloud takes their place.

use crate::clock::Clock;
use crate::cloudformation::CloudFormation;
use crate::events::Events;
use crate::faults::Faults;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::mapping::Mappings;
use crate::lambda::Lambda;
use crate::logs::Logs;
use crate::sqs::Sqs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) struct Cloud {
    pub seed: u64,
    /// The file with the names of the pages that the reader has done.
    pub progress: Option<PathBuf>,
    pub clock: Clock,
    pub events: Events,
    pub faults: Faults,
    pub sqs: Sqs,
    pub kinesis: Kinesis,
    pub lambda: Lambda,
    pub mappings: Mappings,
    pub iam: Iam,
    pub logs: Logs,
    pub cloudformation: CloudFormation,
}

/// Outlives a reset: each cloud has it from the one before.
pub(crate) struct Lasting {
    pub seed: u64,
    pub progress: Option<PathBuf>,
    pub clock: Clock,
    /// Where functions find the cloud.
    pub endpoint: String,
}

impl Cloud {
    /// An empty cloud. This start has made so many before it.
    fn new(lasting: &Lasting, number: u64) -> Self {
        let Lasting {
            seed,
            ref progress,
            ref clock,
            ref endpoint,
        } = *lasting;
        let events = Events::numbered(clock.clone(), number);
        let faults = Faults::new(events.clone());
        let sqs = Sqs::new(clock.clone(), events.clone(), faults.clone(), seed);
        let kinesis = Kinesis::new(clock.clone(), events.clone(), faults.clone());
        let iam = Iam::new(clock.clone(), faults.clone(), seed);
        let logs = Logs::new(clock.clone(), events.clone());
        let lambda = Lambda::new(
            clock.clone(),
            events.clone(),
            iam.clone(),
            logs.clone(),
            endpoint.clone(),
            seed,
        );
        let mappings = Mappings::new(
            clock.clone(),
            events.clone(),
            sqs.clone(),
            kinesis.clone(),
            Arc::new(lambda.clone()),
            Arc::new(iam.clone()),
            seed,
        );
        let cloudformation = CloudFormation::new(
            clock.clone(),
            sqs.clone(),
            kinesis.clone(),
            iam.clone(),
            logs.clone(),
            mappings.clone(),
            seed,
        );
        Self {
            seed,
            progress: progress.clone(),
            clock: clock.clone(),
            events,
            faults,
            sqs,
            kinesis,
            lambda,
            mappings,
            iam,
            logs,
            cloudformation,
        }
    }
}

/// The cloud that there is now. A reset puts an empty one in its place rather than emptying it: what still works on the
/// old one, such as a long poll or a stack's creation, can't bring anything of it back.
pub(crate) struct Clouds {
    pub lasting: Lasting,
    made: AtomicU64,
    now: watch::Sender<Arc<Cloud>>,
}

impl Clouds {
    pub fn new(lasting: Lasting) -> Self {
        Self {
            made: AtomicU64::new(1),
            now: watch::Sender::new(Arc::new(Cloud::new(&lasting, 0))),
            lasting,
        }
    }

    pub fn now(&self) -> Arc<Cloud> {
        self.now.borrow().clone()
    }

    /// For those who go on with the next cloud.
    pub fn watch(&self) -> watch::Receiver<Arc<Cloud>> {
        self.now.subscribe()
    }

    /// Empties the cloud. The clock and the exercises that are done stay, and the seed: what follows is what would follow a
    /// start.
    pub fn reset(&self) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let empty = Arc::new(Cloud::new(&self.lasting, number));
        let old = self.now.send_replace(empty);
        old.mappings.stop();
        old.lambda.stop();
    }
}
