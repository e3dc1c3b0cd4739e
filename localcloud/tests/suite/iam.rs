//! IAM: roles and policies come and go in AWS's order, and what a role may do follows them.

use crate::support::{iam_raw, start};
use localcloud::clock::Clock;
use localcloud::events::Events;
use localcloud::faults::{Fault, Faults, Kind};
use localcloud::iam::{Iam, POLICY_DELAY};
use std::time::Duration;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const ONE_QUEUE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:*:*:StandardQueue"}}"#;
const ROLE: &str = "arn:aws:iam::000000000000:role/r";
const OF_SQS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";
const OF_KINESIS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:StandardQueue";
const OTHER_QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:Other";

struct Account {
    clock: Clock,
    faults: Faults,
    iam: Iam,
}

impl Account {
    fn new() -> Self {
        let clock = Clock::new();
        let faults = Faults::new(Events::new(clock.clone()));
        Self {
            iam: Iam::new(clock.clone(), faults.clone(), 1),
            clock,
            faults,
        }
    }

    /// An account with the role `r`, which Lambda may assume.
    fn with_role() -> Self {
        let account = Self::new();
        account.create_role("r");
        account
    }

    fn create_role(&self, name: &str) {
        let trust = ("AssumeRolePolicyDocument", TRUST);
        self.ok("CreateRole", &[("RoleName", name), trust]);
    }

    fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.iam
            .call(action, &parameters.iter().copied().collect())
            .unwrap_or_else(|error| panic!("{action}: {error}"))
    }

    /// `status code: message`
    fn error(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        match self.iam.call(action, &parameters.iter().copied().collect()) {
            Ok(answer) => panic!("{action} answered {answer}"),
            Err(error) => format!("{} {error}", error.status),
        }
    }

    fn attach(&self, arn: &str) {
        let role = ("RoleName", "r");
        self.ok("AttachRolePolicy", &[role, ("PolicyArn", arn)]);
    }

    fn detach(&self, arn: &str) {
        let role = ("RoleName", "r");
        self.ok("DetachRolePolicy", &[role, ("PolicyArn", arn)]);
    }

    fn delay(&self, count: u32) {
        self.faults.add(Fault {
            kind: Kind::PolicyDelay,
            target: Some("r".into()),
            count,
        });
    }

    fn may_receive(&self) -> bool {
        self.iam.allows(ROLE, "sqs:ReceiveMessage", QUEUE)
    }

    fn is_assumable(&self) -> bool {
        self.iam.can_be_assumed(ROLE, "lambda.amazonaws.com")
    }
}

/// The texts of all elements of this name.
fn all(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let texts = xml.split(&start).skip(1);
    texts
        .filter_map(|rest| Some(rest.split_once(&end)?.0.to_owned()))
        .collect()
}

#[test]
fn a_role_is_created_shown_changed_and_deleted() {
    let account = Account::new();
    let role = ("RoleName", "r");
    let created = account.ok(
        "CreateRole",
        &[
            role,
            ("AssumeRolePolicyDocument", TRUST),
            ("Path", "/a/"),
            ("Description", "d"),
        ],
    );
    assert_eq!(all(&created, "Arn"), ["arn:aws:iam::000000000000:role/a/r"]);
    assert_eq!(all(&created, "MaxSessionDuration"), [""; 0]);
    let got = account.ok("GetRole", &[role]);
    assert_eq!(all(&got, "MaxSessionDuration"), ["3600"]);
    let id = &all(&created, "RoleId")[0];
    assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    let date = &all(&created, "CreateDate")[0];
    assert!(date.ends_with('Z') && date.len() == 20, "{date}");
    let trust = &all(&created, "AssumeRolePolicyDocument")[0];
    assert!(
        trust.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C"),
        "{trust}"
    );
    for name in ["r", "R"] {
        let again = [("RoleName", name), ("AssumeRolePolicyDocument", TRUST)];
        assert_eq!(
            account.error("CreateRole", &again),
            format!("409 EntityAlreadyExists: Role with name {name} already exists.")
        );
    }
    account.ok(
        "UpdateRole",
        &[role, ("Description", "e"), ("MaxSessionDuration", "7200")],
    );
    let shown = account.ok("GetRole", &[role]);
    assert_eq!(all(&shown, "RoleId")[0], *id);
    assert_eq!(all(&shown, "Description"), ["e"]);
    assert_eq!(all(&shown, "MaxSessionDuration"), ["7200"]);
    let nobody = TRUST.replace("lambda", "ec2");
    account.ok(
        "UpdateAssumeRolePolicy",
        &[role, ("PolicyDocument", &nobody)],
    );
    let arn = "arn:aws:iam::000000000000:role/a/r";
    assert!(account.iam.can_be_assumed(arn, "ec2.amazonaws.com"));
    assert!(!account.iam.can_be_assumed(arn, "lambda.amazonaws.com"));
    account.ok("DeleteRole", &[role]);
    assert_eq!(
        account.error("GetRole", &[role]),
        "404 NoSuchEntity: The role with name r cannot be found."
    );
    assert!(!account.iam.can_be_assumed(arn, "ec2.amazonaws.com"));
}

#[test]
fn a_role_goes_only_without_its_policies() {
    let account = Account::with_role();
    let role = ("RoleName", "r");
    account.attach(OF_SQS);
    account.attach(OF_SQS);
    let put = [role, ("PolicyName", "p"), ("PolicyDocument", ONE_QUEUE)];
    account.ok("PutRolePolicy", &put);
    let attached = account.ok("ListAttachedRolePolicies", &[role]);
    assert_eq!(all(&attached, "PolicyArn"), [OF_SQS]);
    assert_eq!(
        all(&attached, "PolicyName"),
        ["AWSLambdaSQSQueueExecutionRole"]
    );
    let inline = account.ok("ListRolePolicies", &[role]);
    assert_eq!(all(&inline, "member"), ["p"]);
    let shown = account.ok("GetRolePolicy", &put[..2]);
    assert!(all(&shown, "PolicyDocument")[0].contains("StandardQueue"));
    assert_eq!(
        account.error("DeleteRole", &[role]),
        "409 DeleteConflict: Cannot delete entity, must detach all policies first."
    );
    account.detach(OF_SQS);
    assert_eq!(
        account.error("DeleteRole", &[role]),
        "409 DeleteConflict: Cannot delete entity, must delete policies first."
    );
    account.ok("DeleteRolePolicy", &put[..2]);
    account.ok("DeleteRole", &[role]);
    assert_eq!(
        account.error("DeleteRole", &[role]),
        "404 NoSuchEntity: The role with name r cannot be found."
    );
}

#[test]
fn the_managed_policies_of_the_lab_allow_what_they_say() {
    let account = Account::with_role();
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/KinesisStream";
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*";
    let allowed = |actions: &[(&str, &str)]| -> Vec<bool> {
        let allows = |(action, on): &(&str, &str)| account.iam.allows(ROLE, action, on);
        actions.iter().map(allows).collect()
    };
    let asked = [
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:SendMessage", QUEUE),
        ("kinesis:GetRecords", stream),
        ("kinesis:PutRecord", stream),
        ("logs:PutLogEvents", group),
    ];
    assert_eq!(allowed(&asked), [false; 5]);
    account.attach(OF_SQS);
    assert_eq!(allowed(&asked), [true, false, false, false, true]);
    account.attach(OF_KINESIS);
    assert_eq!(allowed(&asked), [true, false, true, false, true]);
    account.detach(OF_SQS);
    assert_eq!(allowed(&asked), [false, false, true, false, true]);
    let version = [("PolicyArn", OF_KINESIS), ("VersionId", "v2")];
    let document = account.ok("GetPolicyVersion", &version);
    assert!(all(&document, "Document")[0].contains("kinesis%3ASubscribeToShard"));
    assert_eq!(
        account.error("DeletePolicy", &[("PolicyArn", OF_SQS)]),
        "403 AccessDenied: Policy is outside your own account."
    );
}

#[test]
fn least_privilege_is_one_queue() {
    let account = Account::with_role();
    let put = [
        ("RoleName", "r"),
        ("PolicyName", "p"),
        ("PolicyDocument", ONE_QUEUE),
    ];
    account.ok("PutRolePolicy", &put);
    assert!(account.may_receive());
    assert!(!account.iam.allows(ROLE, "sqs:ReceiveMessage", OTHER_QUEUE));
    let deny = ONE_QUEUE.replace("Allow", "Deny");
    let put = [
        ("RoleName", "r"),
        ("PolicyName", "q"),
        ("PolicyDocument", &*deny),
    ];
    account.ok("PutRolePolicy", &put);
    assert!(!account.may_receive(), "a denial wins");
    account.ok("DeleteRolePolicy", &put[..2]);
    assert!(account.may_receive());
    for nobody in [
        "arn:aws:iam::000000000000:role/a/r",
        "arn:aws:iam::111111111111:role/r",
        "r",
        "",
    ] {
        assert!(
            !account.iam.allows(nobody, "sqs:ReceiveMessage", QUEUE),
            "{nobody}"
        );
    }
}

#[test]
fn a_policy_of_the_account_is_attached_and_detached_before_it_goes() {
    let account = Account::with_role();
    let create = [
        ("PolicyName", "p"),
        ("PolicyDocument", ONE_QUEUE),
        ("Description", "d"),
    ];
    let created = account.ok("CreatePolicy", &create);
    let arn = "arn:aws:iam::000000000000:policy/p";
    assert_eq!(all(&created, "Arn"), [arn]);
    assert_eq!(all(&created, "DefaultVersionId"), ["v1"]);
    assert_eq!(
        account.error("CreatePolicy", &create),
        "409 EntityAlreadyExists: A policy called p already exists. Duplicate names are not allowed."
    );
    let policy = ("PolicyArn", arn);
    account.attach(arn);
    assert!(account.may_receive());
    let shown = account.ok("GetPolicy", &[policy]);
    assert_eq!(all(&shown, "AttachmentCount"), ["1"]);
    assert_eq!(all(&shown, "Description"), ["d"]);
    let entities = account.ok("ListEntitiesForPolicy", &[policy]);
    assert_eq!(all(&entities, "RoleName"), ["r"]);
    assert_eq!(
        account.error("DeletePolicy", &[policy]),
        "409 DeleteConflict: Cannot delete a policy attached to entities."
    );
    let own = account.ok("ListPolicies", &[("Scope", "Local")]);
    assert_eq!(all(&own, "Arn"), [arn]);
    let of_aws = account.ok(
        "ListPolicies",
        &[("Scope", "AWS"), ("OnlyAttached", "true")],
    );
    assert!(all(&of_aws, "Arn").is_empty());
    assert_eq!(all(&account.ok("ListPolicies", &[]), "Arn").len(), 4);
    account.detach(arn);
    assert!(!account.may_receive());
    account.ok("DeletePolicy", &[policy]);
    let role = ("RoleName", "r");
    for (action, message) in [
        ("GetPolicy", "404 NoSuchEntity: Policy arn:aws:iam::000000000000:policy/p was not found."),
        ("DetachRolePolicy", "404 NoSuchEntity: Policy arn:aws:iam::000000000000:policy/p was not found."),
        ("AttachRolePolicy", "404 NoSuchEntity: Policy arn:aws:iam::000000000000:policy/p does not exist or is not attachable."),
    ] {
        assert_eq!(account.error(action, &[role, policy]), message);
    }
}

#[test]
fn a_change_takes_effect_after_the_delay_that_was_asked_for() {
    let account = Account::with_role();
    let almost = Duration::from_millis(POLICY_DELAY - 1000);
    account.delay(1);
    account.attach(OF_SQS);
    assert!(!account.may_receive());
    account.clock.advance(almost);
    assert!(!account.may_receive(), "too early");
    account.clock.advance(Duration::from_secs(1));
    assert!(account.may_receive());

    account.delay(1);
    account.detach(OF_SQS);
    // A change without a delay doesn't overtake the one that waits.
    account.attach(OF_KINESIS);
    let may_read = || {
        account.iam.allows(
            ROLE,
            "kinesis:GetRecords",
            "arn:aws:kinesis:us-east-1:000000000000:stream/s",
        )
    };
    assert!(account.may_receive() && !may_read());
    account.clock.advance(Duration::from_millis(POLICY_DELAY));
    assert!(!account.may_receive() && may_read());
}

#[test]
fn a_new_role_can_be_assumed_after_the_delay_that_was_asked_for() {
    let account = Account::new();
    account.delay(1);
    account.create_role("r");
    account.attach(OF_SQS);
    assert!(!account.is_assumable() && !account.may_receive());
    account.clock.advance(Duration::from_millis(POLICY_DELAY));
    assert!(account.is_assumable() && account.may_receive());
}

#[test]
fn many_changes_within_a_delay_end_in_the_last() {
    let account = Account::with_role();
    account.delay(1000);
    for _ in 0..200 {
        account.attach(OF_SQS);
        account.detach(OF_SQS);
    }
    account.attach(OF_SQS);
    assert!(account.is_assumable(), "what was before still holds");
    assert!(!account.may_receive());
    account.clock.advance(Duration::from_millis(POLICY_DELAY));
    assert!(account.may_receive());
}

#[test]
fn lists_come_in_pages() {
    let account = Account::new();
    for name in ["a", "b", "c"] {
        account.create_role(name);
    }
    let page = account.ok("ListRoles", &[("MaxItems", "2")]);
    assert_eq!(all(&page, "RoleName"), ["a", "b"]);
    assert_eq!(all(&page, "IsTruncated"), ["true"]);
    let marker = all(&page, "Marker");
    let rest = account.ok("ListRoles", &[("MaxItems", "2"), ("Marker", &marker[0])]);
    assert_eq!(all(&rest, "RoleName"), ["c"]);
    assert_eq!(all(&rest, "IsTruncated"), ["false"]);
    let elsewhere = account.ok("ListRoles", &[("PathPrefix", "/elsewhere/")]);
    assert!(all(&elsewhere, "RoleName").is_empty());
    for wrong in [("MaxItems", "0"), ("MaxItems", "1001"), ("Marker", "?")] {
        let error = account.error("ListRoles", &[wrong]);
        assert!(error.starts_with("400 ValidationError"), "{error}");
    }
}

#[test]
fn what_is_wrong_is_answered_in_words() {
    let account = Account::with_role();
    let trust = ("AssumeRolePolicyDocument", TRUST);
    let long = "x".repeat(65);
    let fat = ONE_QUEUE.replace("Standard", &"x".repeat(10_300));
    for (action, parameters, message) in [
        ("CreateRole", vec![("RoleName", "a b"), trust], "400 ValidationError: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"),
        ("CreateRole", vec![("RoleName", &*long), trust], "400 ValidationError: 1 validation error detected: Value"),
        ("CreateRole", vec![trust], "400 ValidationError: 1 validation error detected: Value null at 'RoleName'"),
        ("CreateRole", vec![("RoleName", "s")], "400 ValidationError: 1 validation error detected: Value null at 'AssumeRolePolicyDocument'"),
        ("CreateRole", vec![("RoleName", "s"), trust, ("Path", "a")], "400 ValidationError: The specified value for path is invalid."),
        ("CreateRole", vec![("RoleName", "s"), trust, ("Path", "//")], "400 ValidationError: The specified value for path is invalid."),
        ("CreateRole", vec![("RoleName", "s"), trust, ("MaxSessionDuration", "60")], "400 ValidationError: 1 validation error detected: Value '60' at 'maxSessionDuration'"),
        ("CreateRole", vec![("RoleName", "s"), trust, ("Tags.member.1.Key", "k")], "400 ValidationError: Tags is not in this lab."),
        ("CreateRole", vec![("RoleName", "s"), ("AssumeRolePolicyDocument", "{}")], "400 MalformedPolicyDocument: Syntax errors in policy."),
        ("CreateRole", vec![("RoleName", "s"), ("AssumeRolePolicyDocument", ONE_QUEUE)], "400 MalformedPolicyDocument: Has prohibited field Resource"),
        ("PutRolePolicy", vec![("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", TRUST)], "400 MalformedPolicyDocument: Policy document should not specify a principal."),
        ("PutRolePolicy", vec![("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", &*fat)], "409 LimitExceeded: "),
        ("GetRolePolicy", vec![("RoleName", "r"), ("PolicyName", "p")], "404 NoSuchEntity: The role policy with name p cannot be found."),
        ("AttachRolePolicy", vec![("RoleName", "r"), ("PolicyArn", "AWSLambdaSQSQueueExecutionRole")], "400 ValidationError: Invalid ARN:  Could not be parsed!"),
        ("AttachRolePolicy", vec![("RoleName", "r"), ("PolicyArn", "arn:aws:iam::000000000000:policy/none")], "404 NoSuchEntity: Policy arn:aws:iam::000000000000:policy/none does not exist or is not attachable."),
        ("AttachRolePolicy", vec![("RoleName", "r"), ("PolicyArn", "arn")], "400 ValidationError: 1 validation error detected: Value 'arn' at 'policyArn'"),
        ("ListPolicies", vec![("Scope", "Mine")], "400 ValidationError: 1 validation error detected: Value 'Mine' at 'scope'"),
        ("CreateUser", vec![], "400 UnknownOperationException: iam CreateUser is not in this lab."),
    ] {
        let error = account.error(action, &parameters);
        assert!(error.starts_with(message), "{action} {parameters:?}\n{error}");
    }
}

#[test]
fn white_space_does_not_count() {
    let account = Account::new();
    let padded = format!("{TRUST}{}", " ".repeat(3000));
    let trust = ("AssumeRolePolicyDocument", &*padded);
    account.ok("CreateRole", &[("RoleName", "r"), trust]);
    let full = TRUST.replace("2012-10-17", &"x".repeat(3000));
    let trust = ("AssumeRolePolicyDocument", &*full);
    assert_eq!(
        account.error("CreateRole", &[("RoleName", "s"), trust]),
        "409 LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048"
    );
}

#[test]
fn the_white_space_of_inline_policies_is_bounded_all_the_same() {
    let account = Account::with_role();
    let padded = format!("{ONE_QUEUE}{}", " ".repeat(60_000));
    let put = |name| {
        [
            ("RoleName", "r"),
            ("PolicyName", name),
            ("PolicyDocument", &*padded),
        ]
    };
    account.ok("PutRolePolicy", &put("a"));
    account.ok("PutRolePolicy", &put("b"));
    account.ok("PutRolePolicy", &put("b"));
    let error = account.error("PutRolePolicy", &put("c"));
    assert!(error.starts_with("409 LimitExceeded: "), "{error}");
}

#[test]
fn every_operation_of_the_list_is_there() {
    let account = Account::with_role();
    for action in localcloud::iam::OPERATIONS {
        if let Err(error) = account.iam.call(action, &[].into_iter().collect()) {
            assert_ne!(error.code, "UnknownOperationException", "{action}");
        }
    }
}

#[test]
fn the_door_speaks_the_query_protocol() {
    let cloud = start();
    let answer = iam_raw(&cloud, "GetRole", &[("RoleName", "r")]);
    assert_eq!(answer.status, 404);
    let start = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>";
    assert!(answer.body.starts_with(start), "{answer:?}");
    let created = iam_raw(
        &cloud,
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST)],
    );
    assert_eq!(created.status, 200);
    let start = "<CreateRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateRoleResult><Role><Path>/</Path>";
    assert!(created.body.starts_with(start), "{created:?}");
    cloud.faults().add(Fault {
        kind: Kind::Throttle,
        target: Some("GetRole".into()),
        count: 1,
    });
    let throttled = iam_raw(&cloud, "GetRole", &[("RoleName", "r")]);
    assert!(
        throttled.body.contains("<Code>Throttling</Code>"),
        "{throttled:?}"
    );
}
