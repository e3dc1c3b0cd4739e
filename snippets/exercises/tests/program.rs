//! The program `check` by itself; the exercises are gone through in `snippets/tests/programs/check.rs`. Without a test of
//! this package cargo would not build the program for those.

use localcloud::testing::{self, Running};
use localcloud::{LocalCloud, Options};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn without_a_local_cloud_check_says_how_to_start_one() {
    let cloud = LocalCloud::start(Options::default()).expect("the local cloud starts");
    let mut command = testing::command(&cloud, env!("CARGO_BIN_EXE_check"));
    let command = command.arg("04").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let ended = Running::start(&cloud, command, LIMIT).expect("the program starts").end();
    let printed = ended.printed.join("\n");
    let advice = "no local cloud at 127.0.0.1:9: start it with `cargo run`";
    assert!(printed.contains(advice), "{printed}");
    assert_eq!(ended.status.code(), Some(1), "{printed}");
}
