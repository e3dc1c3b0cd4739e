"""boto3 drives every operation of IAM and CloudWatch Logs on the local cloud, and stacks of roles and log groups.

What is right is what AWS documents: https://docs.aws.amazon.com/IAM/latest/APIReference/ and
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
"""

import json
import time
import unittest

from support import PROJECT, REGION, Desk

ACCOUNT = "000000000000"
OF_AWS = "arn:aws:iam::aws:policy/service-role/"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ONE_QUEUE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:StandardQueue",
        }
    ],
}
TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": TRUST,
                "ManagedPolicyArns": [OF_AWS + "AWSLambdaBasicExecutionRole"],
            },
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "of-stack", "RetentionInDays": 1}},
    },
    "Outputs": {"Role": {"Value": {"Ref": "Role"}}, "Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
}
SOON = {"Delay": 1, "MaxAttempts": 30}


def operations(module: str) -> set[str]:
    """The operations that the local cloud's source lists."""
    text = (PROJECT / f"localcloud/src/{module}/mod.rs").read_text()
    listed = text.split("pub const OPERATIONS", 1)[1].split("= [", 1)[1].split("]", 1)[0]
    return {name.strip().strip('"') for name in listed.split(",") if name.strip()}


class OnTheLocalCloud(unittest.TestCase):
    service: str

    @classmethod
    def setUpClass(cls):
        cls.desk = Desk()
        cls.addClassCleanup(cls.desk.stop)
        cls.client = cls.desk.client(cls.service)
        cls.driven = set()
        cls.client.meta.events.register(
            f"before-call.{cls.service}", lambda model, **_: cls.driven.add(model.name)
        )

    def refused(self, name: str, text: str, call, /, **parameters) -> None:
        with self.assertRaises(getattr(self.client.exceptions, name)) as caught:
            call(**parameters)
        self.assertIn(text, str(caught.exception))


class Iam(OnTheLocalCloud):
    service = "iam"

    def role(self, name: str) -> dict:
        return self.client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]

    def test_a_role_from_its_creation_to_its_deletion(self):
        made = self.role("reader")
        self.assertEqual(made["Arn"], f"arn:aws:iam::{ACCOUNT}:role/reader")
        self.assertEqual(made["AssumeRolePolicyDocument"], TRUST)
        self.refused("EntityAlreadyExistsException", "already exists", self.role, name="reader")
        self.client.get_waiter("role_exists").wait(RoleName="reader", WaiterConfig=SOON)
        self.client.update_role(RoleName="reader", Description="reads", MaxSessionDuration=7200)
        other = json.loads(json.dumps(TRUST).replace("lambda", "ec2"))
        self.client.update_assume_role_policy(RoleName="reader", PolicyDocument=json.dumps(other))
        shown = self.client.get_role(RoleName="reader")["Role"]
        self.assertEqual((shown["RoleId"], shown["CreateDate"]), (made["RoleId"], made["CreateDate"]))
        self.assertEqual((shown["Description"], shown["AssumeRolePolicyDocument"]), ("reads", other))
        self.assertLess(abs(shown["CreateDate"].timestamp() - time.time()), 600)

        self.client.put_role_policy(RoleName="reader", PolicyName="one", PolicyDocument=json.dumps(ONE_QUEUE))
        inline = self.client.get_role_policy(RoleName="reader", PolicyName="one")
        self.assertEqual(inline["PolicyDocument"], ONE_QUEUE)
        self.assertEqual(self.client.list_role_policies(RoleName="reader")["PolicyNames"], ["one"])
        arn = OF_AWS + "AWSLambdaSQSQueueExecutionRole"
        self.client.attach_role_policy(RoleName="reader", PolicyArn=arn)
        attached = self.client.list_attached_role_policies(RoleName="reader")["AttachedPolicies"]
        self.assertEqual(attached, [{"PolicyName": "AWSLambdaSQSQueueExecutionRole", "PolicyArn": arn}])
        delete = self.client.delete_role
        self.refused("DeleteConflictException", "must detach all policies first", delete, RoleName="reader")
        self.client.detach_role_policy(RoleName="reader", PolicyArn=arn)
        self.refused("DeleteConflictException", "must delete policies first", delete, RoleName="reader")
        self.client.delete_role_policy(RoleName="reader", PolicyName="one")
        delete(RoleName="reader")
        self.refused("NoSuchEntityException", "cannot be found", delete, RoleName="reader")

    def test_managed_policies(self):
        for name, version, actions in [
            ("AWSLambdaBasicExecutionRole", "v1", 3),
            ("AWSLambdaSQSQueueExecutionRole", "v1", 6),
            ("AWSLambdaKinesisExecutionRole", "v2", 10),
        ]:
            arn = OF_AWS + name
            policy = self.client.get_policy(PolicyArn=arn)["Policy"]
            self.assertEqual((policy["Path"], policy["DefaultVersionId"]), ("/service-role/", version))
            shown = self.client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
            [statement] = shown["Document"]["Statement"]
            self.assertEqual((len(statement["Action"]), statement["Resource"]), (actions, "*"))
        self.role("holder")
        made = self.client.create_policy(PolicyName="own", PolicyDocument=json.dumps(ONE_QUEUE))["Policy"]
        own = made["Arn"]
        self.client.get_waiter("policy_exists").wait(PolicyArn=own, WaiterConfig=SOON)
        self.client.attach_role_policy(RoleName="holder", PolicyArn=own)
        [version] = self.client.list_policy_versions(PolicyArn=own)["Versions"]
        self.assertEqual((version["VersionId"], version["IsDefaultVersion"]), ("v1", True))
        entities = self.client.list_entities_for_policy(PolicyArn=own)
        self.assertEqual([role["RoleName"] for role in entities["PolicyRoles"]], ["holder"])
        [listed] = self.client.list_policies(Scope="Local")["Policies"]
        self.assertEqual((listed["Arn"], listed["AttachmentCount"]), (own, 1))
        self.refused("DeleteConflictException", "attached", self.client.delete_policy, PolicyArn=own)
        self.client.detach_role_policy(RoleName="holder", PolicyArn=own)
        self.client.delete_policy(PolicyArn=own)
        self.client.delete_role(RoleName="holder")

    def test_roles_are_listed_in_pages(self):
        names = [f"page-{n}" for n in range(7)]
        for name in names:
            self.role(name)
        pages = self.client.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3})
        found = [role["RoleName"] for page in pages for role in page["Roles"]]
        self.assertEqual([name for name in found if name in names], names)
        for name in names:
            self.client.delete_role(RoleName=name)

    def test_a_document_that_is_none_is_refused(self):
        for document in ["{", "{}", json.dumps(ONE_QUEUE)]:
            self.refused(
                "MalformedPolicyDocumentException",
                "",
                self.client.create_role,
                RoleName="none",
                AssumeRolePolicyDocument=document,
            )

    def test_zz_every_operation_was_there(self):
        self.assertEqual(operations("iam") - self.driven, set())


class Logs(OnTheLocalCloud):
    service = "logs"

    def test_what_is_written_is_read(self):
        group, stream = {"logGroupName": "/aws/lambda/f"}, {"logStreamName": "2026/11/23/[$LATEST]0"}
        self.client.create_log_group(**group)
        self.refused("ResourceAlreadyExistsException", "", self.client.create_log_group, **group)
        self.client.put_retention_policy(**group, retentionInDays=1)
        [listed] = self.client.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
        self.assertEqual(listed["retentionInDays"], 1)
        self.client.delete_retention_policy(**group)
        self.client.create_log_stream(**group, **stream)
        now = time.time_ns() // 1_000_000
        events = [{"timestamp": now + n, "message": f"line {n}"} for n in range(250)]
        self.client.put_log_events(**group, **stream, logEvents=events)
        [listed] = self.client.describe_log_streams(**group, orderBy="LastEventTime", descending=True)["logStreams"]
        self.assertEqual(listed["lastEventTimestamp"], now + 249)

        messages = [event["message"] for event in events]
        pages = self.client.get_paginator("filter_log_events").paginate(
            **group, startTime=now, interleaved=True, PaginationConfig={"PageSize": 100}
        )
        read = [event for page in pages for event in page["events"]]
        self.assertEqual([event["message"] for event in read], messages)
        self.assertEqual(len({event["eventId"] for event in read}), 250)
        found = self.client.filter_log_events(**group, filterPattern='"line 24" -249')["events"]
        self.assertEqual(len(found), 1 + 9)
        first = self.client.get_log_events(**group, **stream, limit=100, startFromHead=True)
        rest = self.client.get_log_events(**group, **stream, nextToken=first["nextForwardToken"])
        self.assertEqual([event["message"] for event in first["events"] + rest["events"]], messages)
        end = self.client.get_log_events(**group, **stream, nextToken=rest["nextForwardToken"])
        self.assertEqual((end["events"], end["nextForwardToken"]), ([], rest["nextForwardToken"]))

        self.client.delete_log_stream(**group, **stream)
        missing = {**group, **stream}
        self.refused("ResourceNotFoundException", "log stream", self.client.get_log_events, **missing)
        self.client.delete_log_group(**group)
        self.refused("ResourceNotFoundException", "log group", self.client.delete_log_group, **group)

    def test_zz_every_operation_was_there(self):
        self.assertEqual(operations("logs") - self.driven, set())


class Stacks(OnTheLocalCloud):
    service = "cloudformation"

    def test_a_stack_with_a_role_and_a_log_group(self):
        stack = {"StackName": "Permissions", "TemplateBody": json.dumps(TEMPLATE)}
        self.refused(
            "InsufficientCapabilitiesException", "[CAPABILITY_IAM]", self.client.create_stack, **stack
        )
        valid = self.client.validate_template(TemplateBody=stack["TemplateBody"])
        self.assertEqual(valid["Capabilities"], ["CAPABILITY_IAM"])
        self.client.create_stack(**stack, Capabilities=["CAPABILITY_IAM"])
        self.client.get_waiter("stack_create_complete").wait(StackName="Permissions", WaiterConfig=SOON)
        [described] = self.client.describe_stacks(StackName="Permissions")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        iam = self.desk.client("iam")
        self.assertEqual(iam.get_role(RoleName=outputs["Role"])["Role"]["Arn"], outputs["Arn"])
        self.client.delete_stack(StackName="Permissions")
        self.client.get_waiter("stack_delete_complete").wait(StackName="Permissions", WaiterConfig=SOON)
        self.assertEqual(iam.list_roles()["Roles"], [])
        self.assertEqual(self.desk.client("logs").describe_log_groups()["logGroups"], [])
