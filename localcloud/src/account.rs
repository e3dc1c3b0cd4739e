//! The one account and the one region, and how their resources are named.

use std::fmt::Display;

// Differs from AWS: one-account: there is one account in one region, over plain HTTP.
/// The one account of the local cloud.
pub const ACCOUNT: &str = "000000000000";
/// The one region of the local cloud.
pub const REGION: &str = "us-east-1";

/// The Amazon Resource Name of a resource of the account: `arn:aws:sqs:us-east-1:000000000000:StandardQueue`.
/// IAM's resources are in no region: `arn:aws:iam::000000000000:role/Reader`.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
pub fn arn(service: &str, resource: impl Display) -> String {
    let region = if service == "iam" { "" } else { REGION };
    format!("arn:aws:{service}:{region}:{ACCOUNT}:{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_iam_has_is_in_no_region() {
        assert_eq!(arn("sqs", "Q"), "arn:aws:sqs:us-east-1:000000000000:Q");
        assert_eq!(arn("iam", "role/R"), "arn:aws:iam::000000000000:role/R");
    }
}
