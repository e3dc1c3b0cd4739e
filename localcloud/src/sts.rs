//! STS: who am I? A function is its role, assumed in its name; everyone else is the one user of the one made-up account.
//! See <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.

use crate::account::{self, ACCOUNT};
use crate::iam::{Caller, Iam};
use crate::wire::error::ApiError;
use crate::wire::query::Xml;

/// The operations there are.
pub const OPERATIONS: [&str; 1] = ["GetCallerIdentity"];

/// Answers `action` with the XML of its result. The access key is the one that the call was signed with.
pub fn call(action: &str, iam: &Iam, access_key: Option<&str>) -> Result<String, ApiError> {
    if !OPERATIONS.contains(&action) {
        return Err(ApiError::not_in_this_lab("sts", action));
    }
    let session = access_key.and_then(|access_key| iam.caller(access_key));
    let Caller { arn, user_id } = session.unwrap_or_else(|| Caller {
        arn: account::arn("iam", "user/reader"),
        user_id: "AIDALOCALCLOUDREADER".to_owned(),
    });
    let mut xml = Xml::default();
    xml.text("Arn", arn)
        .text("UserId", user_id)
        .text("Account", ACCOUNT);
    Ok(xml.finish())
}
