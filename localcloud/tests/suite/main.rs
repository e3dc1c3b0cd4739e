//! All integration tests of the local cloud in one executable: linked once, run side by side. A module a subject.

mod cloudformation;
mod door;
mod events;
mod fifo;
mod iam;
mod kinds;
mod kinesis;
mod lambda;
mod logs;
mod mapping;
mod query;
mod queue;
mod recorded;
mod reset;
mod sqs;
mod stream;
mod structure;
mod support;
