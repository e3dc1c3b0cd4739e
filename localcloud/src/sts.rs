//! STS: who am I? Everyone is the one user of the one made-up account.
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.

use crate::account::{self, ACCOUNT};
use crate::wire::error::ApiError;
use crate::wire::query::Xml;

/// The operations there are.
pub const OPERATIONS: [&str; 1] = ["GetCallerIdentity"];

/// Answers `action` with the XML of its result.
pub fn call(action: &str) -> Result<String, ApiError> {
    if !OPERATIONS.contains(&action) {
        return Err(ApiError::not_in_this_lab("sts", action));
    }
    let mut xml = Xml::default();
    xml.text("Arn", account::arn("iam", "user/reader"))
        .text("UserId", "AIDALOCALCLOUDREADER")
        .text("Account", ACCOUNT);
    Ok(xml.finish())
}
