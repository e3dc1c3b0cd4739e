//! What all requests share: the services, each with its own state.

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
