//! Stacks come and go: what is asked of them, what fails, what is listed.

use super::*;

#[tokio::test]
async fn a_stack_lives_from_create_to_delete() {
    let cloud = Cloud::new();
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "CREATE_COMPLETE");
    let stack = cloud.describe("Lab").await;
    assert_eq!(
        all(&stack, "OutputKey"),
        ["StandardQueueARN", "StandardQueueURL"]
    );
    assert_eq!(
        all(&stack, "OutputValue"),
        [
            "arn:aws:sqs:us-east-1:000000000000:StandardQueue".to_owned(),
            url("StandardQueue")
        ]
    );
    assert_eq!(first(&stack, "ParameterValue"), "StandardQueue");
    let id = first(&stack, "StackId");
    let uuid = id
        .strip_prefix("arn:aws:cloudformation:us-east-1:000000000000:stack/Lab/")
        .unwrap_or_default();
    assert_eq!(uuid.len(), 36, "{id}");
    let attributes = cloud.attributes("StandardQueue").await;
    assert_eq!(attributes["ReceiveMessageWaitTimeSeconds"], "0");
    assert_eq!(
        cloud.events("Lab").await,
        [
            "Lab CREATE_IN_PROGRESS",
            "StandardQueue CREATE_IN_PROGRESS",
            "StandardQueue CREATE_IN_PROGRESS",
            "StandardQueue CREATE_COMPLETE",
            "Lab CREATE_COMPLETE",
        ]
    );
    let reasons = cloud.reasons("Lab").await;
    assert_eq!(reasons, "Resource creation Initiated\nUser Initiated");

    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("StandardQueue").await);
    let error = cloud.error("DescribeStacks", &[("StackName", "Lab")]).await;
    assert_eq!(error, "ValidationError: Stack with id Lab does not exist");
    assert!(!first(&cloud.describe(&id).await, "DeletionTime").is_empty());
    let listed = cloud.ok("DescribeStacks", &[]).await;
    assert!(all(&listed, "StackName").is_empty());
    cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
    cloud.ok("DeleteStack", &[("StackName", &id)]).await;
}

#[tokio::test]
async fn a_name_belongs_to_one_stack_at_a_time() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    cloud.create("Lab", &template).await;
    let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(error, "AlreadyExistsException: Stack [Lab] already exists");
    let old = first(&cloud.describe("Lab").await, "StackId");
    cloud.delete("Lab").await;
    assert_eq!(cloud.create("Lab", &template).await, "CREATE_COMPLETE");
    assert_ne!(first(&cloud.describe("Lab").await, "StackId"), old);
}

#[tokio::test]
async fn resources_can_be_described_and_listed() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    for (action, form) in [
        ("DescribeStackResources", vec![("StackName", "Lab")]),
        (
            "DescribeStackResources",
            vec![("PhysicalResourceId", &*url("StandardQueue"))],
        ),
        ("ListStackResources", vec![("StackName", "Lab")]),
        (
            "DescribeStackResource",
            vec![("StackName", "Lab"), ("LogicalResourceId", "StandardQueue")],
        ),
    ] {
        let answer = cloud.ok(action, &form).await;
        assert_eq!(all(&answer, "PhysicalResourceId"), [url("StandardQueue")]);
        assert_eq!(all(&answer, "ResourceType"), ["AWS::SQS::Queue"]);
        assert_eq!(all(&answer, "ResourceStatus"), ["CREATE_COMPLETE"]);
    }
    let form = [("StackName", "Lab"), ("LogicalResourceId", "No")];
    let error = cloud.error("DescribeStackResource", &form).await;
    assert_eq!(
        error,
        "ValidationError: Resource No does not exist for stack Lab"
    );
}

#[tokio::test]
async fn stacks_are_listed_by_status() {
    let cloud = Cloud::new();
    for name in ["One", "Two"] {
        cloud.create(name, &queues(&[("Q", "")])).await;
    }
    cloud.delete("One").await;
    let everything = cloud.ok("ListStacks", &[]).await;
    assert_eq!(all(&everything, "StackName"), ["Two", "One"]);
    let form = [("StackStatusFilter.member.1", "DELETE_COMPLETE")];
    assert_eq!(
        all(&cloud.ok("ListStacks", &form).await, "StackName"),
        ["One"]
    );
    let form = [("StackStatusFilter.member.1", "GONE")];
    let error = cloud.error("ListStacks", &form).await;
    assert!(
        error.contains("Value '[GONE]' at 'stackStatusFilter'"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stack_that_is_unknown_is_named() {
    let cloud = Cloud::new();
    for (action, message) in [
        ("DescribeStacks", "Stack with id No does not exist"),
        ("DescribeStackEvents", "Stack [No] does not exist"),
        ("DescribeStackResources", "Stack with id No does not exist"),
        ("DescribeStackResource", "Stack 'No' does not exist"),
        ("ListStackResources", "Stack with id No does not exist"),
        ("GetTemplate", "Stack with id No does not exist"),
        ("GetTemplateSummary", "Stack with id No does not exist"),
        ("UpdateStack", "Stack [No] does not exist"),
    ] {
        let form = [("StackName", "No"), ("LogicalResourceId", "Q")];
        let error = cloud.error(action, &form).await;
        assert_eq!(error, format!("ValidationError: {message}"));
    }
    cloud.ok("DeleteStack", &[("StackName", "No")]).await;
}

#[tokio::test]
async fn a_failed_resource_rolls_the_stack_back() {
    let cloud = Cloud::new();
    let template = queues(&[
        ("First", "QueueName: first"),
        (
            "Second",
            "QueueName: second, DelaySeconds: 901, Tags: [{Key: after, Value: !Ref First}]",
        ),
    ]);
    assert_eq!(cloud.create("Lab", &template).await, "ROLLBACK_COMPLETE");
    assert_eq!(
        cloud.events("Lab").await,
        [
            "Lab CREATE_IN_PROGRESS",
            "First CREATE_IN_PROGRESS",
            "First CREATE_IN_PROGRESS",
            "First CREATE_COMPLETE",
            "Second CREATE_IN_PROGRESS",
            "Second CREATE_FAILED",
            "Lab ROLLBACK_IN_PROGRESS",
            "Second DELETE_COMPLETE",
            "First DELETE_IN_PROGRESS",
            "First DELETE_COMPLETE",
            "Lab ROLLBACK_COMPLETE",
        ]
    );
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains(
            "The following resource(s) failed to create: [Second]. Rollback requested by user."
        ),
        "{reasons}"
    );
    let expected =
        "Resource handler returned message: \"Invalid value for the parameter DelaySeconds. \
                    (Service: Sqs, Status Code: 400, Request ID: ";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(
        reasons.contains(", HandlerErrorCode: InvalidRequest)"),
        "{reasons}"
    );
    assert!(!cloud.has_queue("first").await);
    let error = cloud
        .error(
            "UpdateStack",
            &[("StackName", "Lab"), ("TemplateBody", &template)],
        )
        .await;
    assert!(
        error.ends_with(" is in ROLLBACK_COMPLETE state and can not be updated."),
        "{error}"
    );
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn on_failure_decides_what_is_left() {
    let cloud = Cloud::new();
    let template = |n: u32| {
        let first = format!("QueueName: first{n}");
        queues(&[("First", &first), ("Second", "DelaySeconds: 901")])
    };
    let create = |name: &'static str, n: u32, option: (&'static str, &'static str)| {
        let (cloud, template) = (&cloud, template(n));
        async move {
            let form = [("StackName", name), ("TemplateBody", &template), option];
            cloud.create_with(&form).await
        }
    };
    let nothing = ("OnFailure", "DO_NOTHING");
    assert_eq!(create("Keep", 1, nothing).await, "CREATE_FAILED");
    assert!(cloud.has_queue("first1").await);
    let disabled = ("DisableRollback", "true");
    assert_eq!(create("Kept", 2, disabled).await, "CREATE_FAILED");
    assert!(cloud.has_queue("first2").await);
    assert_eq!(
        create("Drop", 3, ("OnFailure", "DELETE")).await,
        "DELETE_COMPLETE"
    );
    assert!(!cloud.has_queue("first3").await);
    let rollback = ("OnFailure", "ROLLBACK");
    assert_eq!(create("Back", 4, rollback).await, "ROLLBACK_COMPLETE");
    assert!(!cloud.has_queue("first4").await);
    let template = template(5);
    let form = [
        ("StackName", "Both"),
        ("TemplateBody", &template),
        nothing,
        disabled,
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.contains("but not both"), "{error}");
    let form = [
        ("StackName", "X"),
        ("TemplateBody", &template),
        ("OnFailure", "PANIC"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.contains("[ROLLBACK, DELETE, DO_NOTHING]"), "{error}");
}

#[tokio::test]
async fn a_wrong_call_is_refused() {
    let cloud = Cloud::new();
    let long = "x".repeat(129);
    for (name, constraint) in [
        (
            "1st",
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
        ),
        (
            "a_b",
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
        ),
        (&long, "Member must have length less than or equal to 128"),
    ] {
        let form = [("StackName", name), ("TemplateBody", LAB_TEMPLATE)];
        let error = cloud.error("CreateStack", &form).await;
        let expected = format!(
            "ValidationError: 1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: {constraint}"
        );
        assert_eq!(error, expected);
    }
    for (form, message) in [
        (
            vec![("TemplateBody", LAB_TEMPLATE)],
            "Value null at 'StackName'",
        ),
        (
            vec![("StackName", "Lab")],
            "Either Template URL or Template Body must be specified.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateURL", "https://example.com/t"),
            ],
            "TemplateURL is not in this lab.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateBody", LAB_TEMPLATE),
                ("RoleARN", "arn:aws:iam::1:role/x"),
            ],
            "RoleARN is not in this lab.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateBody", LAB_TEMPLATE),
                ("EnableTerminationProtection", "true"),
            ],
            "EnableTerminationProtection is not in this lab.",
        ),
    ] {
        let error = cloud.error("CreateStack", &form).await;
        assert!(error.contains(message), "{error}");
    }
    let form = [("StackName", "Lab"), ("DisableRollback", "true")];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: DisableRollback is not in this lab."
    );
    let error = cloud.error("DetectStackDrift", &[]).await;
    assert!(error.starts_with("UnknownOperationException: cloudformation DetectStackDrift"));
}

#[tokio::test]
async fn the_number_of_stacks_has_a_bound() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    for n in 0..200 {
        cloud.create(&format!("Lab{n}"), &template).await;
    }
    let form = [("StackName", "More"), ("TemplateBody", template.as_str())];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.starts_with("LimitExceededException: "), "{error}");
    cloud.delete("Lab7").await;
    assert_eq!(cloud.create("More", &template).await, "CREATE_COMPLETE");
}

/// The caller goes away at once, so that nothing has been made yet when the next call comes.
#[tokio::test]
async fn deletion_waits_for_creation() {
    let cloud = Cloud::new();
    let template = queues(&[("A", ""), ("B", ""), ("C", "")]);
    let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
    tokio::select! {
        biased;
        _ = cloud.call("CreateStack", &form) => panic!("nobody has worked on it yet"),
        () = std::future::ready(()) => {}
    }
    let stack = cloud.describe("Lab").await;
    let id = first(&stack, "StackId");
    assert_eq!(first(&stack, "StackStatus"), "CREATE_IN_PROGRESS");
    let error = cloud.error("UpdateStack", &form).await;
    let expected = format!(
        "ValidationError: Stack:{id} is in CREATE_IN_PROGRESS state and can not be updated."
    );
    assert_eq!(error, expected);
    cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
    assert_eq!(cloud.settle(&id).await, "DELETE_COMPLETE");
    let events = cloud.events(&id).await;
    assert!(
        events.contains(&"Lab CREATE_COMPLETE".to_owned()),
        "{events:?}"
    );
    let left = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    assert!(
        left["QueueUrls"].as_array().is_none_or(Vec::is_empty),
        "{left}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_is_never_worked_on_twice_at_a_time() {
    let cloud = Cloud::new();
    let many: Vec<_> = (0..30).map(|n| (format!("Q{n}"), "")).collect();
    let many: Vec<_> = many.iter().map(|(name, none)| (&**name, *none)).collect();
    let template = queues(&many);
    for _ in 0..30 {
        let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
        tokio::select! {
            biased;
            _ = cloud.call("CreateStack", &form) => {}
            () = std::future::ready(()) => {}
        }
        let id = first(&cloud.describe("Lab").await, "StackId");
        cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
        assert_eq!(cloud.settle(&id).await, "DELETE_COMPLETE");
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let left = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    assert!(
        left["QueueUrls"].as_array().is_none_or(Vec::is_empty),
        "{left}"
    );
}

/// As recorded on AWS: there is no list of which there is nothing, except those that are always there.
#[tokio::test]
async fn a_stack_is_shown_as_aws_shows_it() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "QueueName: q"), ("R", "Colour: red")]);
    assert_eq!(cloud.create("Lab", &template).await, "ROLLBACK_COMPLETE");
    let failed = cloud.describe("Lab").await;
    for name in [
        "Outputs",
        "Parameters",
        "Capabilities",
        "ChangeSetId",
        "LastUpdatedTime",
    ] {
        assert!(!failed.contains(name), "{name}\n{failed}");
    }
    for there in [
        "<Tags></Tags>",
        "<NotificationARNs></NotificationARNs>",
        "<RollbackConfiguration></RollbackConfiguration>",
        "<EnableTerminationProtection>false<",
        "<DisableRollback>false<",
        "<DeletionTime>",
    ] {
        assert!(failed.contains(there), "{there}\n{failed}");
    }
    let id = first(&failed, "StackId");
    cloud.delete("Lab").await;
    let deleted = cloud.describe(&id).await;
    assert!(
        !deleted.contains("EnableTerminationProtection"),
        "{deleted}"
    );
    let update = [("StackName", &*id), ("TemplateBody", &template)];
    assert_eq!(
        cloud.error("UpdateStack", &update).await,
        format!("ValidationError: Stack:{id} is in DELETE_COMPLETE state and can not be updated.")
    );
}

#[tokio::test]
async fn events_show_the_properties_of_their_resource() {
    let cloud = Cloud::new();
    let template = queues(&[(
        "Q",
        "QueueName: !Sub '${AWS::StackName}-q', DelaySeconds: 5",
    )]);
    cloud.create("Lab", &template).await;
    let events = cloud
        .ok("DescribeStackEvents", &[("StackName", "Lab")])
        .await;
    let expected = r#"{"DelaySeconds":5,"QueueName":"Lab-q"}"#;
    assert_eq!(all(&events, "ResourceProperties"), [expected; 3]);
}

#[tokio::test]
async fn a_resource_that_was_never_made_or_is_gone_is_not_described() {
    let cloud = Cloud::new();
    cloud
        .create("Failed", &queues(&[("Q", "Colour: red")]))
        .await;
    cloud.create("Lab", &queues(&[("Q", ""), ("R", "")])).await;
    cloud.update("Lab", &queues(&[("Q", "")])).await;
    for (stack, resource) in [("Failed", "Q"), ("Lab", "R")] {
        let form = [("StackName", stack), ("LogicalResourceId", resource)];
        assert_eq!(
            cloud.error("DescribeStackResource", &form).await,
            format!("ValidationError: Resource {resource} does not exist for stack {stack}")
        );
    }
    let form = [("StackName", "Lab"), ("LogicalResourceId", "Q")];
    let shown = cloud.ok("DescribeStackResource", &form).await;
    assert_eq!(first(&shown, "Metadata"), "{}");
}
