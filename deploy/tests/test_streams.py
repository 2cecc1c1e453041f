"""A namespace's stack, deployed to the emulator beside the stack that it shares, and as a template."""

import json
import re
import tempfile
import time
import unittest
from pathlib import Path

import boto3
from botocore.config import Config

from aws import CREDENTIALS, POLL_SECONDS, REGION, STACK_NAME, Aws
from emulator import emulator
from project import ROOT, STACK, STREAM, table_and_destination
from template import load, resources

SECONDS = 60
# A logical id can't have this name, nor can a table whose name needs no quotes.
NAMESPACE = "shop-prod"


class Deployed(unittest.TestCase):
    def test_a_document_is_found_in_the_table_of_its_namespace(self) -> None:
        with tempfile.TemporaryDirectory() as workdir, emulator(Path(workdir)) as port:
            aws = Aws(port)
            # The emulator knows no saved queries.
            shared = aws.deploy(STACK, {"SavedQueries": "false"}, SECONDS)
            parameters = {"LogsStack": STACK_NAME, "Namespace": NAMESPACE}
            made = aws.create_stack("namespace", STREAM, parameters, SECONDS)
            self.assertEqual(made["StreamName"], "shop-prod-logs")
            self.assertEqual(made["TableName"], "shop_prod_logs")
            firehose = boto3.client(
                "firehose",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                config=Config(proxies={}),
            )
            line = {"timestamp": "2026-01-31T12:00:00.123Z", "message": "one"}
            firehose.put_record_batch(
                DeliveryStreamName=made["StreamName"],
                Records=[{"Data": json.dumps(line).encode()}],
            )
            deadline = time.monotonic() + SECONDS
            prefix = f"logs/{NAMESPACE}/dt="
            while not aws.object_sizes(shared.bucket, prefix):
                self.assertLess(time.monotonic(), deadline, f"nothing under {prefix}")
                time.sleep(POLL_SECONDS)
            sql = f"SELECT message FROM {made['TableName']} WHERE dt >= '2026-01-01'"
            self.assertEqual(aws.query(shared, sql, (), SECONDS)[1], [("one",)])
            self.assertEqual(aws.object_sizes(shared.bucket, "failed/"), [])


class Template(unittest.TestCase):
    def setUp(self) -> None:
        self.template = load(STREAM)
        self.table, self.destination = table_and_destination(self.template)

    def test_the_stream_writes_where_the_table_looks(self) -> None:
        location, _ = self.table["TableInput"]["StorageDescriptor"]["Location"][
            "Fn::Sub"
        ]
        prefix = self.destination["Prefix"]["Fn::Sub"]
        # Athena's own form of a day's location, as there is no template.
        day = "dt=!{timestamp:yyyy-MM-dd}/"
        self.assertEqual(prefix, location.replace("s3://${Bucket}/", "") + day)
        self.assertNotIn(
            "storage.location.template", self.table["TableInput"]["Parameters"]
        )

    def test_the_shared_role_may_write_there_and_its_bucket_expires_it(self) -> None:
        shared = load(STACK)
        (role,) = [
            role
            for role in resources(shared, "AWS::IAM::Role").values()
            if "firehose.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
        ]
        allowed = json.dumps(role["Policies"])
        for prefix in (
            self.destination["Prefix"]["Fn::Sub"],
            self.destination["ErrorOutputPrefix"]["Fn::Sub"],
        ):
            folder = prefix.split("/")[0]
            self.assertIn(f"${{LogBucket.Arn}}/{folder}/*", allowed)
        self.assertIn("table/${Database}/*", allowed)

    def test_a_namespace_s_name_leaves_room_for_the_stream_s(self) -> None:
        pattern = re.compile(self.template["Parameters"]["Namespace"]["AllowedPattern"])
        longest = "a" * (64 - len("-logs"))
        self.assertTrue(pattern.fullmatch(longest))
        for refused in (f"{longest}a", "-a", "a-", "A", "a_b", "a.b"):
            self.assertFalse(pattern.fullmatch(refused), refused)

    def test_every_key_that_the_daemonset_sends_has_a_column(self) -> None:
        columns = self.table["TableInput"]["StorageDescriptor"]["Columns"]
        names = {column["Name"] for column in columns}
        serde = self.destination["DataFormatConversionConfiguration"]
        serde = serde["InputFormatConfiguration"]["Deserializer"]["OpenXJsonSerDe"]
        renamed = {
            key: column for column, key in serde["ColumnToJsonKeyMappings"].items()
        }
        samples = ROOT / "tests" / "fluent_bit" / "samples" / "kubernetes.expected"
        keys = {
            key for line in samples.read_text().splitlines() for key in json.loads(line)
        }
        self.assertIn("namespace", keys)
        for key in keys | {"time"}:
            self.assertIn(renamed.get(key, key), names)
