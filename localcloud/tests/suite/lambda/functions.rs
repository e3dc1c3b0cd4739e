//! Functions: created, named, listed, changed and deleted as AWS does it, and what it refuses.

use super::*;

#[test]
fn a_function_is_created_pending_and_becomes_active() {
    let cloud = start_stopped();
    create_role(&cloud, "function", &[]);
    let created = lambda(
        &cloud,
        "POST",
        FUNCTIONS,
        &function(
            "f",
            json!({"Tags": {"lab": "yes"}, "Architectures": ["arm64"], "Timeout": null}),
        ),
    );
    assert_eq!(created.status, 201);
    let created = created.json();
    assert_eq!(created["State"], "Pending");
    let early = invoke_with(&cloud, "f", &[], &json!({}));
    assert_eq!(
        (early.status, early.header("x-amzn-errortype")),
        (409, Some("ResourceConflictException"))
    );

    cloud.clock().advance(CHANGE);
    let shown = settled(&cloud, "f");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    for (field, value) in [
        ("FunctionArn", json!(arn)),
        ("Runtime", json!("provided.al2023")),
        ("Role", json!(ROLE)),
        ("Handler", json!("bootstrap")),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("Version", json!("$LATEST")),
        ("Architectures", json!(["arm64"])),
        ("PackageType", json!("Zip")),
        (
            "LoggingConfig",
            json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}),
        ),
        ("Environment", Value::Null),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let version = shown["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str();
    assert!(
        version.is_some_and(|arn| arn.starts_with("arn:aws:lambda:us-east-1::runtime:")),
        "{shown}"
    );
    assert_eq!(shown["CodeSha256"].as_str().map(str::len), Some(44));
    assert!(shown["LastModified"]
        .as_str()
        .is_some_and(|time| time.ends_with("+0000")));

    for name in [
        "f",
        arn,
        "000000000000:function:f",
        "f:$LATEST",
        &arn.replace(':', "%3A"),
    ] {
        let got = lambda(&cloud, "GET", &format!("{FUNCTIONS}/{name}"), &Value::Null);
        assert_eq!(got.status, 200, "{name}: {got:?}");
        let shown = match name.ends_with("$LATEST") {
            true => format!("{arn}:$LATEST"),
            false => arn.to_owned(),
        };
        assert_eq!(got.json()["Configuration"]["FunctionArn"], shown);
        assert_eq!(got.json()["Tags"], json!({"lab": "yes"}));
    }
    let bytes = request("GET", "/lab/status", &[], b"");
    let status = exchange(&cloud, &bytes).expect("an answer").json();
    assert_eq!(status["functions"][0]["name"], "f");
}

#[test]
fn functions_are_listed_page_by_page_and_deleted() {
    let cloud = start();
    for name in ["a", "b", "c"] {
        create_function(&cloud, name, json!({}));
    }
    let list = |query: &str| {
        let path = format!("{FUNCTIONS}/{query}");
        lambda(&cloud, "GET", &path, &Value::Null).json()
    };
    let names = |page: &Value| -> Vec<String> {
        let functions = page["Functions"].as_array().expect("a list").iter();
        functions
            .map(|f| f["FunctionName"].as_str().expect("a name").to_owned())
            .collect()
    };
    let first = list("?MaxItems=2");
    assert_eq!(names(&first), ["a", "b"]);
    let second = list(&format!(
        "?MaxItems=2&Marker={}",
        first["NextMarker"].as_str().expect("more")
    ));
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second["NextMarker"], Value::Null);

    let deleted = lambda(&cloud, "DELETE", &format!("{FUNCTIONS}/b"), &Value::Null);
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert_eq!(names(&list("")), ["a", "c"]);
    let (status, kind, message) =
        refusal(&cloud, "DELETE", &format!("{FUNCTIONS}/b"), &Value::Null);
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(
        message,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:b"
    );
}

#[test]
fn what_aws_refuses_is_refused() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (status, kind, message) = refusal(&cloud, "POST", FUNCTIONS, &function("f", json!({})));
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert_eq!(message, "Function already exist: f");
    let link = "../outside";
    for (with, kind, part) in [
        (
            json!({"FunctionName": "no spaces"}),
            "ValidationException",
            "functionName",
        ),
        (
            json!({"FunctionName": ""}),
            "ValidationException",
            "functionName",
        ),
        (json!({"Role": "admin"}), "ValidationException", "role"),
        (
            json!({"Role": "arn:aws:iam::000000000000:role/absent"}),
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            json!({"Runtime": "python3.13"}),
            "InvalidParameterValueException",
            "python3.13",
        ),
        (
            json!({"Runtime": "PYTHON3.9"}),
            "InvalidParameterValueException",
            "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
        ),
        (
            json!({"Architectures": ["x86_64", "arm64"]}),
            "ValidationException",
            "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less \
             than or equal to 1",
        ),
        (
            json!({"Architectures": ["X86_64"]}),
            "ValidationException",
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            json!({"Environment": {"Variables": {"SMALL": "ok", "LONG": "x".repeat(4096)}}}),
            "InvalidParameterValueException",
            "exceeded the 4KB limit. String measured: {\"LONG\":\"xxx",
        ),
        (
            json!({"Handler": null}),
            "InvalidParameterValueException",
            "mandatory",
        ),
        (
            json!({"Timeout": 0}),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            json!({"Timeout": 901}),
            "ValidationException",
            "less than or equal to 900",
        ),
        (json!({"MemorySize": 127}), "ValidationException", "128"),
        (
            json!({"MemorySize": 4_294_967_424_u64}),
            "ValidationException",
            "10240",
        ),
        (
            json!({"Architectures": ["riscv"]}),
            "ValidationException",
            "x86_64",
        ),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}}),
            "InvalidParameterValueException",
            "AWS_REGION",
        ),
        (
            json!({"Environment": {"Variables": {"LONG": "x".repeat(4096)}}}),
            "InvalidParameterValueException",
            "4KB",
        ),
        (
            json!({"Environment": {"Variables": {"A=B": "x"}}}),
            "ValidationException",
            "A=B",
        ),
        (
            json!({"LoggingConfig": {"LogFormat": "XML"}}),
            "ValidationException",
            "logFormat",
        ),
        (
            json!({"LoggingConfig": {"ApplicationLogLevel": "DEBUG"}}),
            "InvalidParameterValueException",
            "JSON",
        ),
        (
            json!({"Layers": ["arn:layer"]}),
            "InvalidParameterValueException",
            "Layers",
        ),
        (
            json!({"Publish": true}),
            "InvalidParameterValueException",
            "Publish",
        ),
        (
            json!({"Tags": (0..51).map(|n| (n.to_string(), "x".into())).collect::<Map<_, _>>()}),
            "InvalidParameterValueException",
            "Number of tags exceeds",
        ),
        (
            json!({"Tags": {"x".repeat(129): "x"}}),
            "ValidationException",
            "less than or equal to 128",
        ),
        (
            json!({"Tags": {"": "x"}}),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            json!({"Tags": {"x": "é".repeat(257)}}),
            "ValidationException",
            "less than or equal to 256",
        ),
        (
            json!({"Code": {"S3Bucket": "b", "S3Key": "k"}}),
            "InvalidParameterValueException",
            "ZipFile",
        ),
        (
            json!({"Code": {"ZipFile": "bm8gemlw"}}),
            "InvalidParameterValueException",
            "Could not unzip",
        ),
        (
            json!({"Code": {"ZipFile": "&"}}),
            "InvalidParameterValueException",
            "base64",
        ),
        (
            json!({"Code": {"ZipFile": zip_of(&[(link, b"x")])}}),
            "InvalidParameterValueException",
            "leads out",
        ),
    ] {
        let input = function("new", with.clone());
        let (status, got, message) = refusal(&cloud, "POST", FUNCTIONS, &input);
        let with: String = with.to_string().chars().take(200).collect();
        assert_eq!((status, got.as_str()), (400, kind), "{with}: {message}");
        assert!(message.contains(part), "{with}: {message}");
    }
    let (status, kind, _) = refusal(&cloud, "GET", "/2015-03-31/functions/new", &Value::Null);
    assert_eq!(
        (status, kind.as_str()),
        (404, "ResourceNotFoundException"),
        "a refusal leaves nothing"
    );
    let (status, kind, message) = refusal(
        &cloud,
        "GET",
        "/2015-03-31/functions/f?Qualifier=7",
        &Value::Null,
    );
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert!(message.ends_with(":f:7"), "{message}");
    let (status, kind, message) = refusal(&cloud, "GET", "/2018-10-31/layers", &Value::Null);
    assert_eq!((status, kind.as_str()), (400, "UnknownOperationException"));
    let start = "lambda GET /2018-10-31/layers is not in this lab";
    assert!(message.starts_with(start), "{message}");
    let garbage = exchange(&cloud, &request("POST", FUNCTIONS, &[], b"{")).expect("an answer");
    assert_eq!(
        garbage.header("x-amzn-errortype"),
        Some("InvalidRequestContentException")
    );
}

#[test]
fn a_function_is_named_as_the_operation_takes_it() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function";
    let get = |rest: &str| ("GET", format!("{FUNCTIONS}/{rest}"));
    let delete = |rest: &str| ("DELETE", format!("{FUNCTIONS}/{rest}"));
    let invoke = |rest: &str| ("POST", format!("{FUNCTIONS}/{rest}"));
    let concurrency = |rest: &str| ("PUT", format!("/2017-10-31/functions/{rest}/concurrency"));
    let not_found = |rest: &str| {
        (
            404,
            "ResourceNotFoundException",
            format!("Function not found: {arn}:{rest}"),
        )
    };
    let invalid = |message: &str| (400, "InvalidParameterValueException", message.to_owned());
    let two =
        "The derived qualifier from the function name does not match the specified qualifier.";
    let whole = "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.";
    let elsewhere = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
    for ((method, path), expected) in [
        (get("none"), not_found("none")),
        (get("none?Qualifier=$LATEST"), not_found("none:$LATEST")),
        (get("f?Qualifier=$latest"), not_found("f:$latest")),
        (get("f:1221"), not_found("f:1221")),
        (get("f:$LATEST?Qualifier=1"), invalid(two)),
        (
            get("arn:aws:lambda:eu-west-1:000000000000:function:f"),
            (404, "ResourceNotFoundException", elsewhere.to_owned()),
        ),
        (
            get("111111111111:function:f"),
            (403, "AccessDeniedException", String::new()),
        ),
        (invoke("none/invocations"), not_found("none:$LATEST")),
        (invoke("f/invocations?Qualifier=7"), not_found("f:7")),
        (delete("none"), not_found("none")),
        (delete("none?Qualifier=1233"), not_found("none")),
        (
            delete("f?Qualifier=alias"),
            invalid("Deletion of aliases is not currently supported."),
        ),
        (
            delete("f:$LATEST"),
            invalid("$LATEST version cannot be deleted without deleting the function."),
        ),
        (concurrency("none"), not_found("none:$LATEST")),
        (concurrency("f:$LATEST"), invalid(whole)),
    ] {
        let (status, kind, message) = refusal(&cloud, method, &path, &Value::Null);
        assert_eq!(
            (status, kind.as_str(), message),
            expected,
            "{method} {path}"
        );
    }
    let (status, kind, message) = refusal(
        &cloud,
        "GET",
        &format!("{FUNCTIONS}/f!?Qualifier=v!"),
        &Value::Null,
    );
    assert_eq!((status, kind.as_str()), (400, "ValidationException"));
    assert!(
        message.starts_with("2 validation errors detected: Value 'v!' at 'qualifier'"),
        "{message}"
    );
    assert!(
        message.contains("; Value 'f!' at 'functionName' failed"),
        "{message}"
    );
    let (_, kind, message) = refusal(
        &cloud,
        "POST",
        FUNCTIONS,
        &function(&"x".repeat(65), json!({})),
    );
    assert_eq!(kind, "InvalidParameterValueException");
    assert!(message.ends_with("less than or equal to 64"), "{message}");
    let gone = lambda(
        &cloud,
        "DELETE",
        &format!("{FUNCTIONS}/f?Qualifier=1233"),
        &Value::Null,
    );
    assert_eq!(
        gone.status, 204,
        "a version that isn't there is as good as deleted"
    );
    assert_eq!(settled(&cloud, "f")["State"], "Active");
}

#[test]
fn a_list_shows_no_state_and_an_empty_environment_is_there() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Environment": {"Variables": {}}}));
    assert_eq!(
        settled(&cloud, "f")["Environment"],
        json!({"Variables": {}})
    );
    let listed = lambda(&cloud, "GET", FUNCTIONS, &Value::Null).json()["Functions"][0].clone();
    for absent in ["State", "LastUpdateStatus", "RuntimeVersionConfig"] {
        assert_eq!(listed[absent], Value::Null, "{absent}");
    }
    assert_eq!(listed["FunctionName"], "f");
    let path = format!("{FUNCTIONS}?FunctionVersion=invalid");
    let (_, kind, message) = refusal(&cloud, "GET", &path, &Value::Null);
    assert_eq!(kind, "ValidationException");
    assert!(
        message.ends_with("Member must satisfy enum value set: [ALL]"),
        "{message}"
    );
}

#[test]
fn a_warm_process_is_used_again_and_a_change_makes_a_new_one() {
    let cloud = start_stopped();
    create_role(&cloud, "function", &["AWSLambdaBasicExecutionRole"]);
    let blue = json!({"Environment": {"Variables": {"COLOUR": "blue"}}});
    lambda(&cloud, "POST", FUNCTIONS, &function("f", blue));
    cloud.clock().advance(CHANGE);
    let (first, error, log) = invoke(&cloud, "f", json!({"n": 1}));
    assert_eq!(error, None, "{first}");
    assert_eq!(first["event"], json!({"n": 1}));
    assert_eq!(first["env"]["COLOUR"], "blue");
    assert!(log.contains("Init Duration: "), "{log}");
    for count in 2..6 {
        let (again, _, log) = invoke(&cloud, "f", json!({}));
        assert_eq!((pid(&again), &again["count"]), (pid(&first), &json!(count)));
        assert!(!log.contains("Init Duration"), "{log}");
    }
    let path = format!("{FUNCTIONS}/f/configuration");
    let red = json!({"Environment": {"Variables": {"COLOUR": "red"}}, "Timeout": 7});
    let updated = lambda(&cloud, "PUT", &path, &red);
    assert_eq!(
        (updated.status, &updated.json()["LastUpdateStatus"]),
        (200, &json!("InProgress"))
    );
    let (status, kind, message) = refusal(&cloud, "PUT", &path, &red);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert!(message.contains("An update is in progress"), "{message}");
    assert_ends(pid(&first));
    cloud.clock().advance(CHANGE);
    let shown = settled(&cloud, "f");
    assert_eq!(
        (&shown["Timeout"], &shown["MemorySize"]),
        (&json!(7), &json!(128))
    );
    let (after, ..) = invoke(&cloud, "f", json!({}));
    assert_eq!(
        (&after["count"], &after["env"]["COLOUR"]),
        (&json!(1), &json!("red"))
    );

    let path = format!("{FUNCTIONS}/f/code");
    let stale = json!({"ZipFile": function_zip(), "RevisionId": "stale"});
    assert_eq!(refusal(&cloud, "PUT", &path, &stale).0, 412);
    let script = zip_of(&[("bootstrap", b"#!/bin/sh\nexit 5\n")]);
    let updated = lambda(&cloud, "PUT", &path, &json!({"ZipFile": script})).json();
    assert_ne!(updated["CodeSha256"], shown["CodeSha256"]);
    assert_ne!(updated["RevisionId"], shown["RevisionId"]);
    let (failed, error, _) = invoke(&cloud, "f", json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(failed["errorType"], "Runtime.ExitError");

    lambda(&cloud, "DELETE", &format!("{FUNCTIONS}/f"), &Value::Null);
    assert_ends(pid(&after));
}
