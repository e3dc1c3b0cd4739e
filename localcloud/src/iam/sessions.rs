//! Roles that are assumed: temporary credentials, and whose they are.
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html>.

use super::state::{Caller, Iam, State};
use crate::account::ACCOUNT;
use crate::ids;

/// Temporary credentials, good for as long as they live.
pub struct Session {
    iam: Iam,
    /// Begins with `ASIA`, as that of any temporary credentials.
    pub access_key_id: String,
    /// As the SDKs call it. The local cloud checks no signature.
    pub secret_access_key: String,
    /// Goes with each request, in `x-amz-security-token`.
    pub session_token: String,
}

impl Iam {
    /// Assumes a role, given by its ARN, in the name of a session.
    pub fn assume(&self, role_arn: &str, session: &str) -> Session {
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut state = self.lock();
        let caller = state.assumed(role_arn, session);
        let random = &mut state.secrets;
        let session = Session {
            iam: self.clone(),
            access_key_id: format!("ASIA{}", ids::letters(random, UPPER, 16)),
            secret_access_key: ids::letters(random, BASE64, 40),
            session_token: ids::letters(random, BASE64, 320),
        };
        state.sessions.insert(session.access_key_id.clone(), caller);
        session
    }

    /// Whose temporary credentials these are. None of any other access key.
    pub fn caller(&self, access_key_id: &str) -> Option<Caller> {
        self.lock().sessions.get(access_key_id).cloned()
    }
}

impl State {
    fn assumed(&mut self, role_arn: &str, session: &str) -> Caller {
        let name = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        let id = self.by_arn(role_arn).map(|role| role.id.clone());
        Caller {
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"),
            user_id: format!("{}:{session}", id.unwrap_or_default()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.iam.lock().sessions.remove(&self.access_key_id);
    }
}
