//! Functions for the tests: the program `bootstrap.rs`, compiled and zipped, and the calls that use it.

use super::{exchange, iam_raw, request, Answer};
use base64::prelude::{Engine, BASE64_STANDARD};
use localcloud::LocalCloud;
use serde_json::{json, Value};
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use zip::write::{SimpleFileOptions, ZipWriter};

pub const ROLE: &str = "arn:aws:iam::000000000000:role/function";

/// The zip of the test's function, in base64.
pub fn function_zip() -> &'static str {
    static ZIP: OnceLock<String> = OnceLock::new();
    ZIP.get_or_init(|| {
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/suite/support/bootstrap.rs"
        );
        let program = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("bootstrap-{}", std::process::id()));
        let rustc = std::env::var("RUSTC").unwrap_or("rustc".to_owned());
        let compiled = Command::new(rustc)
            .args(["--edition", "2021", "-C", "strip=symbols", "-o"])
            .arg(&program)
            .arg(source)
            .status();
        assert!(compiled.expect("a compiler").success());
        let code = std::fs::read(&program).expect("the program");
        let _ = std::fs::remove_file(&program);
        zip_of(&[("bootstrap", &code)])
    })
}

pub fn zip_of(files: &[(&str, &[u8])]) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default())
            .expect("a new file");
        zip.write_all(content).expect("memory");
    }
    BASE64_STANDARD.encode(zip.finish().expect("a zip").into_inner())
}

/// One call of the REST API.
pub fn lambda(cloud: &LocalCloud, method: &str, path: &str, input: &Value) -> Answer {
    let body = match input {
        Value::Null => String::new(),
        input => input.to_string(),
    };
    exchange(cloud, &request(method, path, &[], body.as_bytes())).expect("an answer")
}

/// The request that creates the test's function; `with` adds to it.
pub fn function(name: &str, with: Value) -> Value {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": ROLE,
        "Timeout": 30,
        "Code": {"ZipFile": function_zip()},
    });
    for (key, value) in with.as_object().into_iter().flatten() {
        input[key] = value.clone();
    }
    input
}

/// Makes a role that Lambda may assume, with these policies of AWS's, unless it is there. Returns its ARN.
pub fn create_role(cloud: &LocalCloud, name: &str, policies: &[&str]) -> String {
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let trust = ("AssumeRolePolicyDocument", TRUST);
    iam_raw(cloud, "CreateRole", &[("RoleName", name), trust]);
    for policy in policies {
        let arn = format!("arn:aws:iam::aws:policy/service-role/{policy}");
        let attached = iam_raw(
            cloud,
            "AttachRolePolicy",
            &[("RoleName", name), ("PolicyArn", &arn)],
        );
        assert_eq!(attached.status, 200, "{attached:?}");
    }
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// Creates the test's function, with a role that may write logs unless `with` names another, and waits until it is
/// active.
pub fn create_function(cloud: &LocalCloud, name: &str, with: Value) {
    create_role(cloud, "function", &["AWSLambdaBasicExecutionRole"]);
    let input = function(name, with);
    let created = lambda(cloud, "POST", "/2015-03-31/functions", &input);
    assert_eq!(created.status, 201, "{created:?}");
    settled(cloud, name);
}

/// Waits until a function is active and has no update in progress, and shows it.
pub fn settled(cloud: &LocalCloud, name: &str) -> Value {
    let path = format!("/2015-03-31/functions/{name}/configuration");
    let since = Instant::now();
    loop {
        let shown = lambda(cloud, "GET", &path, &Value::Null).json();
        if shown["State"] == "Active" && shown["LastUpdateStatus"] == "Successful" {
            return shown;
        }
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "not settled: {shown}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn invoke_with(
    cloud: &LocalCloud,
    name: &str,
    headers: &[(&str, &str)],
    event: &Value,
) -> Answer {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let bytes = request("POST", &path, headers, event.to_string().as_bytes());
    exchange(cloud, &bytes).expect("an answer")
}

/// Invokes and waits: the answer, the function's error if there is one, and the last lines of its log.
pub fn invoke(cloud: &LocalCloud, name: &str, event: Value) -> (Value, Option<String>, String) {
    let answer = invoke_with(cloud, name, &[("x-amz-log-type", "Tail")], &event);
    assert_eq!(answer.status, 200, "{answer:?}");
    let tail = answer.header("x-amz-log-result").unwrap_or_default();
    let tail = BASE64_STANDARD.decode(tail).expect("base64");
    (
        answer.json(),
        answer.header("x-amz-function-error").map(str::to_owned),
        String::from_utf8(tail).expect("text"),
    )
}
