//! The AWS CLI, boto3 and two engines that nobody here wrote. They need Python, so `cargo test` leaves them out.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs Python 3 and, once, PyPI: run it with `tests/foreign/run`"]
fn the_aws_cli_boto3_and_foreign_engines() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(project.join("tests/foreign/run"))
        .status()
        .expect("bash runs tests/foreign/run");
    assert!(status.success(), "tests/foreign/run: {status}");
}
