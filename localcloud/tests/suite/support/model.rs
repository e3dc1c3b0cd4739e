//! The common part of the models of a standard and a FIFO queue.

use localcloud::sqs::message::{md5_of_body, Message};
use proptest::prelude::ProptestConfig;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const RETENTION: u64 = 60_000;
pub const START: u64 = 1_700_000_000_000;

/// So many cases each time, or as many as `PROPTEST_CASES` says when it says so.
pub fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases, ..default },
    }
}

/// A message of ten bytes, its body its id.
pub fn message(id: String, group_id: Option<String>, now: u64) -> Arc<Message> {
    Arc::new(Message {
        md5_of_body: md5_of_body(&id),
        body: id.clone(),
        id,
        attributes: BTreeMap::new(),
        system_attributes: BTreeMap::new(),
        group_id,
        deduplication_id: None,
        sequence_number: None,
        size: 10,
        sent_at: now,
        receives: 0,
        first_received_at: None,
        dead_letter_source: None,
        copy: None,
    })
}
