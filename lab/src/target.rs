//! Whether what a fault is for is there: a fault for a queue or an operation that has another name would never happen.

use crate::commands::Status;
use anyhow::{bail, Result};
use localcloud::faults::{Fault, Kind};
use localcloud::{cloudformation, iam, kinesis, lambda, logs, sqs, sts};

/// Names at least so much alike are taken for one another: 1 is the same.
const ALIKE: f64 = 0.8;

/// # Errors
///
/// There is no such operation, queue or role; and which one may have been meant.
pub fn check(fault: &Fault, status: &Status) -> Result<()> {
    let Some(target) = fault.target.as_deref() else {
        return Ok(());
    };
    match fault.kind {
        Kind::LostResponse | Kind::Throttle | Kind::StreamQuota => {
            find("operation", target, &operations())
        }
        Kind::DuplicateDelivery | Kind::FifoQuota => find("queue", target, &status.queue_names()),
        Kind::PolicyDelay => find("role", target, &status.role_names()),
    }
}

/// Those of all services: a fault names an operation without its service.
fn operations() -> Vec<&'static str> {
    [
        &sqs::OPERATIONS[..],
        &kinesis::OPERATIONS,
        &lambda::OPERATIONS,
        &lambda::mapping::OPERATIONS,
        &cloudformation::OPERATIONS,
        &iam::OPERATIONS,
        &logs::OPERATIONS,
        &sts::OPERATIONS,
    ]
    .concat()
}

fn find(kind: &str, target: &str, known: &[&str]) -> Result<()> {
    if known.contains(&target) {
        return Ok(());
    }
    let mut near: Vec<_> = known
        .iter()
        .map(|name| (likeness(name, target), *name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let near: Vec<_> = near.into_iter().take(3).map(|(_, name)| name).collect();
    let hint = match (near.as_slice(), kind) {
        ([_, ..], _) => format!("did you mean {}?", near.join(" or ")),
        ([], "operation") => {
            "it is written as in AWS's documentation, such as SendMessage".to_owned()
        }
        ([], _) if known.is_empty() => {
            "there is none yet: make it first, or leave --target out".to_owned()
        }
        ([], _) => format!("there are {}", known.join(", ")),
    };
    bail!("no {kind} {target}: {hint}")
}

/// Between 0 and 1; capitals don't count.
fn likeness(one: &str, other: &str) -> f64 {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    strsim::normalized_damerau_levenshtein(&one, &other)
}
