"""boto3 drives every operation of Kinesis on the local cloud.

What is right is what AWS documents: https://docs.aws.amazon.com/kinesis/latest/APIReference/
"""

import hashlib
import json
import re
import threading
import time
from datetime import datetime, timedelta, timezone

from botocore.exceptions import ClientError

from support import ACCOUNT, PROJECT, REGION, SOON, TEMPLATES, OnTheLocalCloud

MIB = 1024 * 1024
HALF = str(1 << 127)
FIRST = "shardId-000000000000"
# The operations that the book says are there; a test of the book compares its list with the code's.
OPERATIONS = re.search(r"^\| Kinesis \| (.+) \|$", (PROJECT / "book/differences.md").read_text(), re.MULTILINE)[1]
# Errors of these operations that these tests can't bring about: permissions, keys and dry runs are no part of the
# local cloud, and it has no internal failures to show.
NEVER_RAISED = {
    "AccessDeniedException",
    "DryRunOperationException",
    "InternalFailureException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KMSThrottlingException",
}


class Kinesis(OnTheLocalCloud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kinesis = cls.desk.client("kinesis")
        cls.impatient = cls.desk.client("kinesis", attempts=1)
        cls.driven = set()
        cls.raised = set()
        for client in [cls.kinesis, cls.impatient]:
            client.meta.events.register("before-call.kinesis", lambda model, **_: cls.driven.add(model.name))

    def stream(self, shards: int | None = 1, suffix: str = "", **options) -> str:
        name = self._testMethodName.removeprefix("test_")[:60] + suffix
        if shards is not None:
            options["ShardCount"] = shards
        self.kinesis.create_stream(StreamName=name, **options)
        self.active(name)
        return name

    def active(self, stream: str) -> None:
        for _ in range(200):
            if self.summary(stream)["StreamStatus"] == "ACTIVE":
                return
            time.sleep(0.05)
        self.fail(f"{stream} does not become active")

    def summary(self, stream: str) -> dict:
        return self.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    def arn(self, stream: str) -> str:
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"

    def put(self, stream: str, data: str, key: str = "k", **options) -> dict:
        return self.kinesis.put_record(StreamName=stream, PartitionKey=key, Data=data.encode(), **options)

    def iterator(self, stream: str, kind: str, shard: str = FIRST, **options) -> str:
        return self.kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType=kind, **options
        )["ShardIterator"]

    def get(self, iterator: str, **options) -> tuple[list[str], dict]:
        """The data that came, and the whole answer. A second later, so that a shard's reads are never too many."""
        self.desk.advance(1)
        answer = self.kinesis.get_records(ShardIterator=iterator, **options)
        return [record["Data"].decode() for record in answer["Records"]], answer

    def all(self, stream: str, shard: str = FIRST, kind: str = "TRIM_HORIZON", **options) -> list[str]:
        return self.get(self.iterator(stream, kind, shard, **options))[0]

    def drain(self, stream: str, shard: str) -> tuple[list[str], list[dict]]:
        """All of a closed shard, and its children."""
        iterator, seen = self.iterator(stream, "TRIM_HORIZON", shard), []
        for _ in range(20):
            data, answer = self.get(iterator)
            seen += data
            if "NextShardIterator" not in answer:
                return seen, answer["ChildShards"]
            self.assertNotIn("ChildShards", answer)
            iterator = answer["NextShardIterator"]
        self.fail(f"{shard} has no end")

    def shards(self, stream: str, **options) -> list[dict]:
        return self.kinesis.list_shards(StreamName=stream, **options)["Shards"]

    def open(self, stream: str) -> list[str]:
        return [shard["ShardId"] for shard in self.shards(stream, ShardFilter={"Type": "AT_LATEST"})]

    def consumer(self, stream: str, name: str, **options) -> str:
        asked = {"StreamARN": self.arn(stream), "ConsumerName": name}
        registered = self.kinesis.register_stream_consumer(**asked, **options)["Consumer"]
        self.assertEqual(registered["ConsumerStatus"], "CREATING")
        for _ in range(200):
            consumer = self.kinesis.describe_stream_consumer(**asked)["ConsumerDescription"]
            if consumer["ConsumerStatus"] == "ACTIVE":
                return registered["ConsumerARN"]
            time.sleep(0.05)
        self.fail(f"{name} does not become active")

    def refused(self, code: str, call, /, **parameters) -> str:
        """The call fails with that error and a message, which it returns."""
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        # The client knows it by its name.
        self.assertIsInstance(caught.exception, getattr(self.kinesis.exceptions, code))
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertTrue(error["Message"])
        self.raised.add(code)
        return error["Message"]

    def test_a_stream_is_created_described_and_deleted(self):
        name = "created"
        self.kinesis.create_stream(StreamName=name, ShardCount=2, Tags={"team": "a"})
        self.assertEqual(self.summary(name)["StreamStatus"], "CREATING")
        self.refused("ResourceInUseException", self.kinesis.create_stream, StreamName=name, ShardCount=2)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=SOON)

        summary = self.summary(name)
        self.assertEqual((summary["StreamARN"], summary["OpenShardCount"]), (self.arn(name), 2))
        self.assertEqual((summary["RetentionPeriodHours"], summary["ConsumerCount"]), (24, 0))
        self.assertEqual(summary["StreamModeDetails"], {"StreamMode": "PROVISIONED"})
        self.assertEqual(summary["EncryptionType"], "NONE")
        self.assertLess(abs(summary["StreamCreationTimestamp"] - self.now()), timedelta(minutes=1))
        described = self.kinesis.describe_stream(StreamARN=self.arn(name))["StreamDescription"]
        self.assertEqual((described["StreamName"], described["HasMoreShards"]), (name, False))
        self.assertEqual(
            [shard["HashKeyRange"] for shard in described["Shards"]],
            [
                {"StartingHashKey": "0", "EndingHashKey": str((1 << 127) - 1)},
                {"StartingHashKey": HALF, "EndingHashKey": str((1 << 128) - 1)},
            ],
        )
        pages = self.kinesis.get_paginator("describe_stream").paginate(
            StreamName=name, PaginationConfig={"PageSize": 1}
        )
        pages = [page["StreamDescription"]["Shards"] for page in pages]
        self.assertEqual(sum(pages, []), described["Shards"])
        self.assertEqual(len(pages), 2)
        limits = self.kinesis.describe_limits()
        self.assertGreaterEqual(limits["ShardLimit"], limits["OpenShardCount"])
        self.assertGreaterEqual(limits["OpenShardCount"], 2)

        self.kinesis.delete_stream(StreamName=name)
        self.assertEqual(self.summary(name)["StreamStatus"], "DELETING")
        self.kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=SOON)
        for call in [self.kinesis.describe_stream, self.kinesis.delete_stream, self.kinesis.list_shards]:
            self.refused("ResourceNotFoundException", call, StreamName=name)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.desk.ask("GET", "/lab/clock")["now_ms"] / 1000, timezone.utc)

    def test_what_is_no_stream_is_refused(self):
        create = self.kinesis.create_stream
        for wrong in [{"StreamName": "a b", "ShardCount": 1}, {"StreamName": "x" * 129, "ShardCount": 1}]:
            self.refused("ValidationException", create, **wrong)
        self.refused("LimitExceededException", create, StreamName="none", ShardCount=100_000)
        self.refused("ResourceNotFoundException", self.put, stream="none", data="x")

    def test_streams_are_listed_in_pages(self):
        names = [self.stream(suffix=f"-{n}") for n in range(3)]
        pages = self.kinesis.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2})
        listed = [name for page in pages for name in page["StreamNames"]]
        self.assertEqual(listed, sorted(listed))
        self.assertEqual([name for name in listed if name in names], names)
        rest = self.kinesis.list_streams(ExclusiveStartStreamName=names[1], Limit=1)
        self.assertEqual(rest["StreamNames"], names[2:])
        self.assertEqual(rest["StreamSummaries"][0]["StreamARN"], self.arn(names[2]))

    def test_shards_are_listed_and_filtered(self):
        name = self.stream(3)
        everything = self.shards(name)
        self.assertEqual([shard["ShardId"] for shard in everything], [f"shardId-{n:012}" for n in range(3)])
        self.assertEqual(self.kinesis.list_shards(StreamARN=self.arn(name))["Shards"], everything)
        listed, page = [], self.kinesis.list_shards(StreamName=name, MaxResults=2)
        listed += page["Shards"]
        page = self.kinesis.list_shards(NextToken=page["NextToken"])
        self.assertNotIn("NextToken", page)
        self.assertEqual(listed + page["Shards"], everything)
        self.assertEqual(self.shards(name, ExclusiveStartShardId=FIRST), everything[1:])
        after = {"Type": "AFTER_SHARD_ID", "ShardId": everything[1]["ShardId"]}
        self.assertEqual(self.shards(name, ShardFilter=after), everything[2:])

        self.kinesis.merge_shards(
            StreamName=name, ShardToMerge=FIRST, AdjacentShardToMerge=everything[1]["ShardId"]
        )
        self.active(name)
        self.assertEqual(self.open(name), ["shardId-000000000002", "shardId-000000000003"])
        # Open at the oldest record, and all since then.
        for kind, count in [("AT_TRIM_HORIZON", 3), ("FROM_TRIM_HORIZON", 4)]:
            self.assertEqual(len(self.shards(name, ShardFilter={"Type": kind})), count)
        self.refused("ValidationException", self.shards, stream=name, ShardFilter={"Type": "AFTER_LUNCH"})
        self.refused("InvalidArgumentException", self.shards, stream=name, ShardFilter={"Type": "AFTER_SHARD_ID"})

    def test_a_token_is_for_itself_and_for_five_minutes(self):
        name = self.stream(3)
        listing = self.kinesis.list_shards
        token = listing(StreamName=name, MaxResults=1)["NextToken"]
        for more in [{"StreamName": name}, {"StreamARN": self.arn(name)}, {"ExclusiveStartShardId": FIRST}]:
            self.refused("InvalidArgumentException", listing, NextToken=token, **more)
        self.refused("InvalidArgumentException", listing)
        self.refused("InvalidArgumentException", listing, NextToken="made-up")
        # So botocore's paginator, which repeats the name, comes no further than the first page, on AWS as well:
        # https://github.com/boto/botocore/issues/2009
        paginator = self.kinesis.get_paginator("list_shards")
        whole = paginator.paginate(StreamName=name).build_full_result()
        self.assertEqual(len(whole["Shards"]), 3)
        in_pages = paginator.paginate(StreamName=name, PaginationConfig={"PageSize": 1})
        message = self.refused("InvalidArgumentException", in_pages.build_full_result)
        self.assertEqual(message, "NextToken and StreamName cannot be provided together.")
        self.desk.advance(299)
        self.assertEqual(len(listing(NextToken=token)["Shards"]), 2)
        self.desk.advance(2)
        self.refused("ExpiredNextTokenException", listing, NextToken=token)

    def test_a_record_goes_to_the_shard_of_its_key(self):
        name = self.stream(2)
        for key in ["alice", "bob", "ü", "x" * 256]:
            half = int(hashlib.md5(key.encode()).hexdigest(), 16) >> 127
            sent = self.put(name, "one", key)
            self.assertEqual(sent["ShardId"], f"shardId-{half:012}")
        first = self.put(name, "first", "alice", ExplicitHashKey=HALF)
        self.assertEqual(first["ShardId"], "shardId-000000000001")
        later = self.put(name, "later", "alice", ExplicitHashKey=HALF, SequenceNumberForOrdering=first["SequenceNumber"])
        self.assertGreater(int(later["SequenceNumber"]), int(first["SequenceNumber"]))
        data, answer = self.get(self.iterator(name, "AT_SEQUENCE_NUMBER", first["ShardId"], StartingSequenceNumber=first["SequenceNumber"]))
        self.assertEqual(data, ["first", "later"])
        record = answer["Records"][0]
        self.assertEqual((record["PartitionKey"], record["SequenceNumber"]), ("alice", first["SequenceNumber"]))
        self.assertLess(abs(record["ApproximateArrivalTimestamp"] - self.now()), timedelta(minutes=1))
        # What is not encrypted says nothing of it.
        self.assertNotIn("EncryptionType", record)
        self.assertNotIn("EncryptionType", sent)
        for code, wrong in [
            ("ValidationException", {"key": "x" * 257}),
            ("InvalidArgumentException", {"ExplicitHashKey": str(1 << 128)}),
            ("InvalidArgumentException", {"SequenceNumberForOrdering": "1" * 60}),
        ]:
            self.refused(code, self.put, stream=name, data="x", **wrong)

    def test_bytes_come_as_they_were_put(self):
        name = self.stream()
        everything = bytes(range(256)) * 4
        self.kinesis.put_record(StreamName=name, PartitionKey="k", Data=everything)
        self.kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"")
        answer = self.kinesis.get_records(ShardIterator=self.iterator(name, "TRIM_HORIZON"))
        self.assertEqual([record["Data"] for record in answer["Records"]], [everything, b""])

    def test_put_records_succeeds_in_part(self):
        name = self.stream()
        # 1,000 records and 1 MiB a second: what is too much is named entry by entry, in the order of the request.
        records = [{"Data": bytes(200_000), "PartitionKey": "k"} for _ in range(7)]
        self.desk.advance(2)
        answer = self.kinesis.put_records(StreamName=name, Records=records)
        stored = [record for record in answer["Records"] if "SequenceNumber" in record]
        failed = [record for record in answer["Records"] if "ErrorCode" in record]
        self.assertEqual((len(stored), len(failed), answer["FailedRecordCount"]), (5, 2, 2))
        self.assertEqual(answer["Records"], stored + failed)
        for record in failed:
            self.assertEqual(record["ErrorCode"], "ProvisionedThroughputExceededException")
            for part in [FIRST, name, ACCOUNT]:
                self.assertIn(part, record["ErrorMessage"])
        self.desk.advance(2)
        again = self.kinesis.put_records(StreamARN=self.arn(name), Records=records[5:])
        self.assertEqual(again["FailedRecordCount"], 0)
        self.assertEqual(len(self.all(name)), 7)
        put = self.kinesis.put_records
        one = {"Data": b"x", "PartitionKey": "k"}
        self.refused("ValidationException", put, StreamName=name, Records=[one] * 501)
        self.refused("ValidationException", put, StreamName=name, Records=[{**one, "Data": bytes(MIB)}])
        self.refused("InvalidArgumentException", put, StreamName=name, Records=[{**one, "Data": bytes(MIB - 1)}] * 11)

    def test_a_shard_has_its_limits(self):
        name = self.stream()
        self.desk.advance(2)
        for _ in range(2):
            self.impatient.put_record(StreamName=name, PartitionKey="k", Data=bytes(500_000))
        full = "ProvisionedThroughputExceededException"
        message = self.refused(
            full, self.impatient.put_record, StreamName=name, PartitionKey="k", Data=bytes(500_000)
        )
        self.assertEqual(message, f"Rate exceeded for shard {FIRST} in stream {name} under account {ACCOUNT}.")
        iterator = self.iterator(name, "LATEST")

        def read():
            for _ in range(100):
                self.impatient.get_records(ShardIterator=iterator)

        # Five calls a second, however fast they are.
        self.refused(full, read)
        self.desk.advance(1)
        self.impatient.get_records(ShardIterator=iterator)

    def test_a_throttled_client_tries_again(self):
        name = self.stream()
        self.desk.fault("throttle", "PutRecord", 2)
        sent = self.put(name, "a")
        self.assertEqual(sent["ResponseMetadata"]["RetryAttempts"], 2)
        self.assertEqual(self.all(name), ["a"])
        self.desk.fault("lost-response", "PutRecord")
        self.put(name, "b")
        self.assertEqual(self.all(name), ["a", "b", "b"])

    def test_an_iterator_begins_in_five_ways(self):
        name = self.stream()
        numbers = []
        for data in "abcd":
            self.desk.advance(10)
            numbers.append(self.put(name, data)["SequenceNumber"])
        _, answer = self.get(self.iterator(name, "TRIM_HORIZON"))
        third = answer["Records"][2]["ApproximateArrivalTimestamp"]
        latest = self.iterator(name, "LATEST")
        self.put(name, "e")
        for kind, options, expected in [
            ("TRIM_HORIZON", {}, "abcde"),
            ("AT_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[1]}, "bcde"),
            ("AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[1]}, "cde"),
            ("AT_TIMESTAMP", {"Timestamp": third}, "cde"),
            ("AT_TIMESTAMP", {"Timestamp": third - timedelta(seconds=5)}, "cde"),
            ("AT_TIMESTAMP", {"Timestamp": third - timedelta(days=365)}, "abcde"),
        ]:
            with self.subTest(kind=kind, **options):
                self.assertEqual(self.all(name, kind=kind, **options), list(expected))
        self.assertEqual(self.get(latest)[0], ["e"])
        wrong = "InvalidArgumentException"
        self.refused(wrong, self.iterator, stream=name, kind="AT_SEQUENCE_NUMBER")
        self.refused(wrong, self.iterator, stream=name, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber="1")
        self.refused(wrong, self.iterator, stream=name, kind="AT_TIMESTAMP")
        self.refused(wrong, self.iterator, stream=name, kind="AT_TIMESTAMP", Timestamp=third + timedelta(days=2))
        self.refused("ValidationException", self.iterator, stream=name, kind="SOMEWHERE")
        self.refused("ResourceNotFoundException", self.iterator, stream=name, kind="LATEST", shard="shardId-000000000007")
        self.refused("ResourceNotFoundException", self.iterator, stream="none", kind="LATEST")

    def test_records_come_in_steps(self):
        name = self.stream()
        for data in "abc":
            self.put(name, data)
        self.desk.advance(5)
        data, answer = self.get(self.iterator(name, "TRIM_HORIZON"), Limit=2)
        self.assertEqual(data, ["a", "b"])
        self.assertGreaterEqual(answer["MillisBehindLatest"], 5000)
        data, answer = self.get(answer["NextShardIterator"])
        self.assertEqual((data, answer["MillisBehindLatest"]), (["c"], 0))
        self.assertEqual(self.get(answer["NextShardIterator"])[0], [])
        self.refused(
            "ValidationException", self.kinesis.get_records, ShardIterator=answer["NextShardIterator"], Limit=10_001
        )

    def test_an_iterator_expires_after_five_minutes(self):
        name = self.stream()
        self.put(name, "a")
        iterator = self.iterator(name, "TRIM_HORIZON")
        self.desk.advance(290)
        data, answer = self.get(iterator)
        self.assertEqual(data, ["a"])
        self.desk.advance(10)
        self.refused("ExpiredIteratorException", self.kinesis.get_records, ShardIterator=iterator)
        self.get(answer["NextShardIterator"])
        self.refused("InvalidArgumentException", self.kinesis.get_records, ShardIterator="made-up")

    def test_a_split_shard_ends_with_its_children(self):
        name = self.stream()
        self.put(name, "before")
        split = {"StreamName": name, "ShardToSplit": FIRST, "NewStartingHashKey": HALF}
        self.kinesis.split_shard(**split)
        self.assertEqual(self.summary(name)["StreamStatus"], "UPDATING")
        self.refused("ResourceInUseException", self.kinesis.split_shard, **split)
        self.active(name)
        after = self.put(name, "after")
        data, children = self.drain(name, FIRST)
        self.assertEqual(data, ["before"])
        self.assertEqual([child["ParentShards"] for child in children], [[FIRST], [FIRST]])
        self.assertEqual([child["ShardId"] for child in children], self.open(name))
        self.assertIn(after["ShardId"], self.open(name))
        self.assertEqual(self.all(name, after["ShardId"]), ["after"])
        parent, *rest = self.shards(name)
        self.assertIn("EndingSequenceNumber", parent["SequenceNumberRange"])
        for shard in rest:
            self.assertEqual(shard["ParentShardId"], FIRST)
            self.assertNotIn("EndingSequenceNumber", shard["SequenceNumberRange"])

        one, other = self.open(name)
        self.kinesis.merge_shards(StreamName=name, ShardToMerge=one, AdjacentShardToMerge=other)
        self.active(name)
        [merged] = self.open(name)
        self.assertEqual(self.drain(name, one)[1], self.drain(name, other)[1])
        [last] = [shard for shard in self.shards(name) if shard["ShardId"] == merged]
        self.assertEqual({last["ParentShardId"], last["AdjacentParentShardId"]}, {one, other})
        wrong = "InvalidArgumentException"
        self.refused(wrong, self.kinesis.split_shard, **split)
        self.refused(wrong, self.kinesis.split_shard, **{**split, "ShardToSplit": merged, "NewStartingHashKey": "0"})
        self.refused(wrong, self.kinesis.merge_shards, StreamName=name, ShardToMerge=merged, AdjacentShardToMerge=merged)
        self.refused("ResourceNotFoundException", self.kinesis.split_shard, **{**split, "ShardToSplit": "shardId-000000000009"})

    def test_the_number_of_shards_is_updated(self):
        name = self.stream(2)
        update = {"StreamName": name, "ScalingType": "UNIFORM_SCALING"}
        answer = self.kinesis.update_shard_count(**update, TargetShardCount=4)
        self.assertEqual((answer["CurrentShardCount"], answer["TargetShardCount"]), (2, 4))
        self.assertEqual((answer["StreamName"], answer["StreamARN"]), (name, self.arn(name)))
        self.refused("ResourceInUseException", self.kinesis.update_shard_count, **update, TargetShardCount=2)
        self.active(name)
        self.assertEqual((len(self.open(name)), len(self.shards(name))), (4, 6))
        for count in [9, 1]:
            self.refused("LimitExceededException", self.kinesis.update_shard_count, **update, TargetShardCount=count)
        self.kinesis.update_shard_count(**update, TargetShardCount=2)
        self.active(name)
        self.assertEqual(self.summary(name)["OpenShardCount"], 2)

    def test_retention_is_changed_and_obeyed(self):
        name = self.stream()
        more, less = self.kinesis.increase_stream_retention_period, self.kinesis.decrease_stream_retention_period
        more(StreamName=name, RetentionPeriodHours=48)
        self.assertEqual(self.summary(name)["RetentionPeriodHours"], 48)
        self.put(name, "old")
        self.desk.advance(47 * 3600)
        self.put(name, "young")
        self.assertEqual(self.all(name), ["old", "young"])
        less(StreamARN=self.arn(name), RetentionPeriodHours=24)
        self.assertEqual(self.all(name), ["young"])
        wrong = "InvalidArgumentException"
        self.refused(wrong, less, StreamName=name, RetentionPeriodHours=23)
        self.refused(wrong, less, StreamName=name, RetentionPeriodHours=25)
        more(StreamName=name, RetentionPeriodHours=8760)
        self.refused(wrong, more, StreamName=name, RetentionPeriodHours=8759)

    def test_on_demand_streams_count_their_own_shards(self):
        name = self.stream(None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        self.assertEqual(self.summary(name)["OpenShardCount"], 4)
        update = {"StreamName": name, "ScalingType": "UNIFORM_SCALING", "TargetShardCount": 2}
        self.refused("ValidationException", self.kinesis.update_shard_count, **update)
        self.assertEqual(self.kinesis.describe_limits()["OnDemandStreamCount"], 1)
        for mode in ["PROVISIONED", "ON_DEMAND"]:
            self.kinesis.update_stream_mode(StreamARN=self.arn(name), StreamModeDetails={"StreamMode": mode})
            self.active(name)
            self.assertEqual(self.summary(name)["StreamModeDetails"], {"StreamMode": mode})
        nowhere = {"StreamARN": self.arn("none"), "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
        self.refused("ResourceNotFoundException", self.kinesis.update_stream_mode, **nowhere)

    def test_large_records_are_allowed_first(self):
        name = self.stream()
        large = {"StreamName": name, "PartitionKey": "k", "Data": bytes(2 * MIB)}
        self.refused("ValidationException", self.kinesis.put_record, **large)
        self.kinesis.update_max_record_size(StreamARN=self.arn(name), MaxRecordSizeInKiB=10_240)
        self.active(name)
        self.assertEqual(self.summary(name)["MaxRecordSizeInKiB"], 10_240)
        self.desk.advance(2)
        self.kinesis.put_record(**large)
        self.assertEqual(len(self.all(name)[0]), 2 * MIB)
        update = self.kinesis.update_max_record_size
        self.refused("ResourceNotFoundException", update, StreamARN=self.arn("none"), MaxRecordSizeInKiB=1024)

    def test_tags_are_kept(self):
        name = self.stream(Tags={"a": "1"})
        arn = self.arn(name)
        self.kinesis.add_tags_to_stream(StreamName=name, Tags={"b": "2", "c": "ü"})
        page = self.kinesis.list_tags_for_stream(StreamName=name, Limit=2)
        self.assertEqual(page["Tags"], [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        self.assertTrue(page["HasMoreTags"])
        rest = self.kinesis.list_tags_for_stream(StreamName=name, ExclusiveStartTagKey="b")
        self.assertEqual((rest["Tags"], rest["HasMoreTags"]), ([{"Key": "c", "Value": "ü"}], False))
        self.kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["a", "nothing"])
        self.kinesis.tag_resource(ResourceARN=arn, Tags={"b": "3"})
        self.kinesis.untag_resource(ResourceARN=arn, TagKeys=["c"])
        self.assertEqual(self.kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "b", "Value": "3"}])
        many = {str(n): "x" for n in range(51)}
        self.refused("InvalidArgumentException", self.kinesis.add_tags_to_stream, StreamName=name, Tags=many)
        self.refused("ResourceNotFoundException", self.kinesis.list_tags_for_stream, StreamName="none")
        nowhere = self.arn("none")
        self.refused("ResourceNotFoundException", self.kinesis.list_tags_for_resource, ResourceARN=nowhere)
        self.refused("ResourceNotFoundException", self.kinesis.tag_resource, ResourceARN=nowhere, Tags={"a": "1"})
        self.refused("ResourceNotFoundException", self.kinesis.untag_resource, ResourceARN=nowhere, TagKeys=["a"])

    def test_consumers_are_registered_listed_and_deregistered(self):
        name = self.stream()
        arns = {f"c{n}": self.consumer(name, f"c{n}", Tags={"n": str(n)}) for n in range(3)}
        for consumer, arn in arns.items():
            self.assertRegex(arn, f"^{self.arn(name)}/consumer/{consumer}:\\d+$")
        described = self.kinesis.describe_stream_consumer(ConsumerARN=arns["c0"])["ConsumerDescription"]
        self.assertEqual(described["StreamARN"], self.arn(name))
        self.assertEqual((described["ConsumerName"], described["ConsumerStatus"]), ("c0", "ACTIVE"))
        self.assertEqual(self.summary(name)["ConsumerCount"], 3)
        tags = self.kinesis.list_tags_for_resource(ResourceARN=arns["c2"])["Tags"]
        self.assertEqual(tags, [{"Key": "n", "Value": "2"}])
        pages = self.kinesis.get_paginator("list_stream_consumers").paginate(
            StreamARN=self.arn(name), PaginationConfig={"PageSize": 2}
        )
        pages = [[consumer["ConsumerARN"] for consumer in page["Consumers"]] for page in pages]
        self.assertEqual([len(page) for page in pages], [2, 1])
        self.assertEqual(sum(pages, []), list(arns.values()))

        register = {"StreamARN": self.arn(name), "ConsumerName": "c0"}
        self.refused("ResourceInUseException", self.kinesis.register_stream_consumer, **register)
        self.refused("ResourceNotFoundException", self.kinesis.register_stream_consumer, **{**register, "StreamARN": self.arn("none")})
        self.kinesis.deregister_stream_consumer(**register)
        self.kinesis.deregister_stream_consumer(ConsumerARN=arns["c1"])
        for _ in range(100):
            left = self.kinesis.list_stream_consumers(StreamARN=self.arn(name))["Consumers"]
            if len(left) == 1:
                break
            time.sleep(0.05)
        self.assertEqual([consumer["ConsumerName"] for consumer in left], ["c2"])
        self.refused("ResourceNotFoundException", self.kinesis.describe_stream_consumer, ConsumerARN=arns["c0"])
        token = {"StreamARN": self.arn(name), "NextToken": "made-up"}
        self.refused("InvalidArgumentException", self.kinesis.list_stream_consumers, **token)

    def test_a_stream_with_consumers_is_deleted_with_force(self):
        name = self.stream()
        self.consumer(name, "c")
        self.refused("ResourceInUseException", self.kinesis.delete_stream, StreamName=name)
        self.kinesis.delete_stream(StreamARN=self.arn(name), EnforceConsumerDeletion=True)
        self.kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=SOON)

    def subscribe(self, consumer: str, shard: str, **start):
        answer = self.kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=start)
        return answer["EventStream"]

    def test_a_subscription_pushes_for_five_minutes(self):
        name = self.stream()
        consumer = self.consumer(name, "c")
        first = self.put(name, "a")["SequenceNumber"]
        seen, last = [], {}
        stream = self.subscribe(consumer, FIRST, Type="TRIM_HORIZON")
        again = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
        self.refused("ResourceInUseException", self.kinesis.subscribe_to_shard, **again)
        later = threading.Timer(0.5, self.put, (name, "b"))
        later.start()
        for event in stream:
            last = event["SubscribeToShardEvent"]
            seen += [record["Data"].decode() for record in last["Records"]]
            if seen == ["a", "b"]:
                self.desk.advance(301)
        later.join()
        self.assertEqual(seen, ["a", "b"])
        self.assertEqual(last["MillisBehindLatest"], 0)
        # Another subscription goes on where this one ended, or wherever it is told to.
        self.put(name, "c")
        for start, expected in [
            ({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": first}, ["b", "c"]),
            ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": last["ContinuationSequenceNumber"]}, ["c"]),
            ({"Type": "AT_TIMESTAMP", "Timestamp": datetime(2020, 1, 1)}, ["a", "b", "c"]),
        ]:
            with self.subTest(start=start["Type"]):
                self.desk.advance(6)
                stream = self.subscribe(consumer, FIRST, **start)
                event = next(iter(stream))["SubscribeToShardEvent"]
                self.assertEqual([record["Data"].decode() for record in event["Records"]], expected)
                stream.close()
        wrong = {**again, "ConsumerARN": f"{self.arn(name)}/consumer/none:1"}
        self.refused("ResourceNotFoundException", self.kinesis.subscribe_to_shard, **wrong)

    def test_a_subscription_ends_with_its_shard(self):
        name = self.stream()
        consumer = self.consumer(name, "c")
        stream = self.subscribe(consumer, FIRST, Type="LATEST")
        self.kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=HALF)
        [*_, last] = stream
        children = last["SubscribeToShardEvent"]["ChildShards"]
        self.assertEqual([child["ParentShards"] for child in children], [[FIRST], [FIRST]])
        self.active(name)
        self.assertEqual([child["ShardId"] for child in children], self.open(name))

    def test_two_consumers_see_the_same(self):
        name = self.stream(2)
        for n in range(20):
            self.put(name, str(n), str(n))
        seen = [
            sorted(data for shard in self.open(name) for data in self.all(name, shard)) for _ in range(2)
        ]
        self.assertEqual(seen[0], sorted(map(str, range(20))))
        self.assertEqual(seen[0], seen[1])

    def test_what_is_not_in_this_lab_says_so(self):
        name = self.stream()
        record = {"StreamName": name, "PartitionKey": "k", "Data": b"x"}
        for call, parameters in [
            (self.kinesis.put_record, {**record, "DryRun": True}),
            (self.kinesis.create_stream, {"StreamName": "warm", "WarmThroughputMiBps": 5}),
        ]:
            with self.subTest(call=call.__name__):
                with self.assertRaises(ClientError) as caught:
                    call(**parameters)
                error = caught.exception.response["Error"]
                self.assertEqual(error["Code"], "UnknownOperationException")
                self.assertIn("not in this lab", error["Message"])
        self.assertEqual(self.all(name), [])

    def test_encryption_metrics_and_policies_are_kept(self):
        name = self.stream()
        describe = self.kinesis.describe_stream_summary
        key = {"StreamName": name, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
        self.kinesis.start_stream_encryption(**key)
        self.active(name)
        self.assertEqual(describe(StreamName=name)["StreamDescriptionSummary"]["EncryptionType"], "KMS")
        self.kinesis.stop_stream_encryption(**key)
        self.active(name)
        self.assertEqual(describe(StreamName=name)["StreamDescriptionSummary"]["EncryptionType"], "NONE")

        metrics = {"StreamName": name, "ShardLevelMetrics": ["IncomingBytes"]}
        on = self.kinesis.enable_enhanced_monitoring(**metrics)
        self.assertEqual(on["DesiredShardLevelMetrics"], ["IncomingBytes"])
        off = self.kinesis.disable_enhanced_monitoring(**metrics)
        self.assertEqual(off["DesiredShardLevelMetrics"], [])

        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.kinesis.put_resource_policy(ResourceARN=self.arn(name), Policy=policy)
        self.assertEqual(self.kinesis.get_resource_policy(ResourceARN=self.arn(name))["Policy"], policy)
        self.kinesis.delete_resource_policy(ResourceARN=self.arn(name))

    def test_zz_every_operation_and_error_was_there(self):
        operations = set(OPERATIONS.split(", "))
        self.assertGreater(len(operations), 20)
        self.assertLessEqual(operations, self.driven)
        model = self.kinesis.meta.service_model
        errors = {
            error.name for operation in operations for error in model.operation_model(operation).error_shapes
        }
        self.assertEqual(errors - self.raised, NEVER_RAISED)


class Stacks(OnTheLocalCloud):
    """Streams and consumers made by CloudFormation."""

    def test_a_stack_with_a_stream_and_its_consumer(self):
        kinesis, stacks = self.desk.client("kinesis"), self.desk.client("cloudformation")
        template = {
            "Resources": {
                "Clicks": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 2, "RetentionPeriodHours": 48}},
                "Reader": {
                    "Type": "AWS::Kinesis::StreamConsumer",
                    "Properties": {"ConsumerName": "reader", "StreamARN": {"Fn::GetAtt": ["Clicks", "Arn"]}},
                },
            },
            "Outputs": {
                "Stream": {"Value": {"Ref": "Clicks"}},
                "Consumer": {"Value": {"Ref": "Reader"}},
            },
        }
        stacks.create_stack(StackName="Streams", TemplateBody=json.dumps(template))
        stacks.get_waiter("stack_create_complete").wait(StackName="Streams", WaiterConfig=SOON)
        [stack] = stacks.describe_stacks(StackName="Streams")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        summary = kinesis.describe_stream_summary(StreamName=outputs["Stream"])["StreamDescriptionSummary"]
        self.assertEqual((summary["OpenShardCount"], summary["RetentionPeriodHours"]), (2, 48))
        consumer = kinesis.describe_stream_consumer(ConsumerARN=outputs["Consumer"])["ConsumerDescription"]
        self.assertEqual(consumer["ConsumerStatus"], "ACTIVE")
        stacks.delete_stack(StackName="Streams")
        stacks.get_waiter("stack_delete_complete").wait(StackName="Streams", WaiterConfig=SOON)
        kinesis.get_waiter("stream_not_exists").wait(StreamName=outputs["Stream"], WaiterConfig=SOON)

    def test_the_books_template(self):
        kinesis, stacks = self.desk.client("kinesis"), self.desk.client("cloudformation")
        template = (TEMPLATES / "kinesis-stream.yaml").read_text()
        stacks.create_stack(StackName="Book", TemplateBody=template)
        stacks.get_waiter("stack_create_complete").wait(StackName="Book", WaiterConfig=SOON)
        kinesis.get_waiter("stream_exists").wait(StreamName="KinesisStream", WaiterConfig=SOON)
        stacks.delete_stack(StackName="Book")
        stacks.get_waiter("stack_delete_complete").wait(StackName="Book", WaiterConfig=SOON)
        kinesis.get_waiter("stream_not_exists").wait(StreamName="KinesisStream", WaiterConfig=SOON)
