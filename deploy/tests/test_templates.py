import json
import re
import unittest
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from generator import documents
from project import (
    DOCKERFILE,
    FLUENT_BIT,
    STACK,
    STREAMS_POLICY,
    table_and_destination,
    templates,
)
from template import load, resources, saved_queries

# What AWS knows no resources for.
WITHOUT_RESOURCES = {"ecr:GetAuthorizationToken"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of all policies but those that say who may take a role."""
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        policies = [
            policy["PolicyDocument"] for policy in properties.get("Policies", [])
        ]
        if "PolicyDocument" in properties:
            policies.append(properties["PolicyDocument"])
        for policy in policies:
            yield from policy["Statement"]


def sidecar_keys() -> set[str]:
    """The keys that parsers and filters of fluent-bit/ make."""
    keys = set()
    nested = set()
    for path in FLUENT_BIT.glob("*.conf"):
        text = path.read_text()
        keys |= set(re.findall(r"\(\?<(\w+)>", text))
        for option in (r"add", r"rename \w+", r"nest_under"):
            keys |= set(re.findall(rf"^ +{option} (\w+)", text, re.MULTILINE))
        nested |= set(re.findall(r"^ +wildcard (\w+)", text, re.MULTILINE))
    # These are renamed or removed.
    return {key for key in keys - nested if not key.startswith("kube_")}


class LeastPrivilege(unittest.TestCase):
    def test_every_allowed_action_is_named_and_has_its_resources(self) -> None:
        seen = 0
        for name, template in templates().items():
            for statement in statements(template):
                if statement["Effect"] == "Deny":
                    continue
                for action in as_list(statement["Action"]):
                    seen += 1
                    with self.subTest(template=name, action=action):
                        self.assertNotIn("*", action)
                        if action not in WITHOUT_RESOURCES:
                            self.assertNotIn("*", as_list(statement["Resource"]))
        self.assertGreater(seen, 10)

    def test_nothing_is_allowed_by_what_is_left_out(self) -> None:
        for name, template in templates().items():
            text = json.dumps(template)
            for word in ("NotAction", "NotResource", "NotPrincipal"):
                with self.subTest(template=name, word=word):
                    self.assertNotIn(word, text)

    def test_a_producer_may_put_batches_to_this_stream_and_nothing_else(self) -> None:
        policies = resources(load(STACK), "AWS::IAM::ManagedPolicy")
        self.assertEqual(list(policies), ["ProducerPolicy"])
        self.assertEqual(
            policies["ProducerPolicy"]["PolicyDocument"]["Statement"],
            [
                {
                    "Effect": "Allow",
                    "Action": "firehose:PutRecordBatch",
                    "Resource": {"Fn::GetAtt": ["Stream", "Arn"]},
                }
            ],
        )

    def test_a_producer_of_many_streams_may_put_to_those_of_a_pattern(self) -> None:
        template = load(STREAMS_POLICY)
        (policy,) = resources(template, "AWS::IAM::ManagedPolicy").values()
        account = "${AWS::Region}:${AWS::AccountId}"
        arn = f"arn:${{AWS::Partition}}:firehose:{account}:deliverystream/${{Streams}}"
        self.assertEqual(
            policy["PolicyDocument"]["Statement"],
            [
                {
                    "Effect": "Allow",
                    "Action": "firehose:PutRecordBatch",
                    "Resource": {"Fn::Sub": arn},
                }
            ],
        )
        pattern = re.compile(template["Parameters"]["Streams"]["AllowedPattern"])
        for taken in ("*-logs", "logs-*"):
            self.assertTrue(pattern.fullmatch(taken), taken)
        for refused in ("*", "**", "*a*", "a/*", "app-logs"):
            self.assertFalse(pattern.fullmatch(refused), refused)

    def test_every_role_is_taken_under_a_condition(self) -> None:
        for name, template in templates().items():
            for role, properties in resources(template, "AWS::IAM::Role").items():
                trust = properties["AssumeRolePolicyDocument"]
                for one in trust.get("Fn::If", ["", trust])[1:]:
                    if "Fn::Sub" in one:
                        one = json.loads(one["Fn::Sub"])
                    for statement in one["Statement"]:
                        with self.subTest(template=name, role=role):
                            self.assertIn("StringEquals", statement["Condition"])
                            self.assertNotEqual(statement["Principal"], "*")


class Parameters(unittest.TestCase):
    def test_every_parameter_is_described_and_bounded(self) -> None:
        for name, template in templates().items():
            for key, parameter in template["Parameters"].items():
                with self.subTest(template=name, parameter=key):
                    self.assertRegex(parameter["Description"], r"\.$")
                    bounded = {"AllowedPattern", "AllowedValues", "MinValue"}
                    # CloudFormation checks the types of its own itself.
                    if "AWS::" not in parameter["Type"]:
                        self.assertTrue(bounded & set(parameter))


class Stack(unittest.TestCase):
    def setUp(self) -> None:
        self.template = load(STACK)
        self.table, self.destination = table_and_destination(self.template)

    def columns(self) -> list[str]:
        storage = self.table["TableInput"]["StorageDescriptor"]
        return [column["Name"] for column in storage["Columns"]]

    def test_the_stream_writes_where_the_projection_looks(self) -> None:
        parameters = self.table["TableInput"]["Parameters"]
        (key,) = [entry["Name"] for entry in self.table["TableInput"]["PartitionKeys"]]
        self.assertEqual(parameters[f"projection.{key}.format"], "yyyy-MM-dd")
        day = datetime(2026, 1, 31).strftime("%Y-%m-%d")
        looked = parameters["storage.location.template"]["Fn::Sub"]
        # ${!dt} is CloudFormation's way to leave ${dt} for Athena.
        looked = looked.replace(f"${{!{key}}}", day).replace("s3://${LogBucket}/", "")
        written = self.destination["Prefix"].replace("!{timestamp:yyyy-MM-dd}", day)
        self.assertEqual(written, looked)

    def test_athena_reads_neither_failures_nor_results_as_logs(self) -> None:
        location = self.table["TableInput"]["StorageDescriptor"]["Location"]["Fn::Sub"]
        (workgroup,) = resources(self.template, "AWS::Athena::WorkGroup").values()
        results = workgroup["WorkGroupConfiguration"]["ResultConfiguration"]
        self.assertEqual(location, "s3://${LogBucket}/logs/")
        self.assertNotRegex(self.destination["ErrorOutputPrefix"], "^logs/")
        self.assertEqual(
            results["OutputLocation"]["Fn::Sub"], "s3://${LogBucket}/athena-results/"
        )

    def test_the_stream_waits_for_its_table_and_asks_what_conversion_can_do(
        self,
    ) -> None:
        conversion = self.destination["DataFormatConversionConfiguration"]
        schema = conversion["SchemaConfiguration"]
        self.assertEqual(schema["TableName"], {"Ref": "HttpLogs"})
        self.assertEqual(self.destination["CompressionFormat"], "UNCOMPRESSED")
        self.assertGreaterEqual(self.destination["BufferingHints"]["SizeInMBs"], 64)

    def test_every_key_of_a_line_and_of_the_sidecar_has_a_column(self) -> None:
        columns = self.columns()
        self.assertEqual(columns, [column.lower() for column in columns])
        self.assertEqual(len(columns), len(set(columns)))
        serde = self.destination["DataFormatConversionConfiguration"]
        serde = serde["InputFormatConfiguration"]["Deserializer"]["OpenXJsonSerDe"]
        renamed = {
            key: column for column, key in serde["ColumnToJsonKeyMappings"].items()
        }
        log = documents(2000, seed=1, start=datetime(2026, 1, 15))
        keys = {key for document in log for key in document}
        keys |= {"service", "environment", "host", "task", "log"} | sidecar_keys()
        for key in keys:
            self.assertIn(renamed.get(key, key.lower()), columns)

    def test_whatever_is_in_the_bucket_expires(self) -> None:
        (bucket,) = resources(self.template, "AWS::S3::Bucket").values()
        rules = bucket["LifecycleConfiguration"]["Rules"]
        expiring = {rule.get("Prefix") for rule in rules if "ExpirationInDays" in rule}
        self.assertEqual(expiring, {"logs/", "failed/", "athena-results/"})

    def test_every_alarm_watches_the_stream_and_may_tell_the_topic(self) -> None:
        alarms = resources(self.template, "AWS::CloudWatch::Alarm").values()
        told = {
            "Fn::If": [
                "HasAlarmTopic",
                [{"Ref": "AlarmTopicArn"}],
                {"Ref": "AWS::NoValue"},
            ]
        }
        for alarm in alarms:
            with self.subTest(alarm["MetricName"]):
                self.assertEqual(alarm["Namespace"], "AWS/Firehose")
                self.assertEqual(
                    alarm["Dimensions"],
                    [{"Name": "DeliveryStreamName", "Value": {"Ref": "Stream"}}],
                )
                self.assertEqual(alarm["AlarmActions"], told)
                self.assertEqual(alarm["OKActions"], told)
        self.assertEqual(
            {alarm["MetricName"] for alarm in alarms},
            {
                "DeliveryToS3.DataFreshness",
                "DeliveryToS3.Success",
                "ThrottledRecords",
                "FailedConversion.Records",
            },
        )

    def test_what_costs_or_grants_more_is_made_on_demand_only(self) -> None:
        parameters = self.template["Parameters"]
        for name, condition in (
            ("DeliveryKeyPolicy", "HasBucketKey"),
            ("TableGrant", "HasLakeFormation"),
            ("ProducerRole", "HasProducerAccounts"),
            ("Endpoint", "HasEndpoint"),
        ):
            with self.subTest(name):
                resource = self.template["Resources"][name]
                self.assertEqual(resource["Condition"], condition)
                text = json.dumps(self.template["Conditions"][condition])
                (parameter,) = re.findall(r'{"Ref": "(\w+)"}', text)
                self.assertIn(parameters[parameter]["Default"], ("", "false"))

    def test_lake_formation_shows_the_stream_s_role_its_own_table(self) -> None:
        grant = self.template["Resources"]["TableGrant"]["Properties"]
        stream = self.template["Resources"]["Stream"]
        conversion = self.destination["DataFormatConversionConfiguration"]
        schema = conversion["SchemaConfiguration"]
        self.assertEqual(
            grant["Principal"]["DataLakePrincipalIdentifier"], schema["RoleARN"]
        )
        table = grant["Resource"]["Table"]
        for ours, theirs in (
            ("Name", "TableName"),
            ("DatabaseName", "DatabaseName"),
            ("CatalogId", "CatalogId"),
        ):
            self.assertEqual(table[ours], schema[theirs])
        self.assertEqual(stream["DependsOn"], "TableGrant")

    def test_no_column_is_for_a_secret(self) -> None:
        columns = json.dumps(self.table["TableInput"]["StorageDescriptor"]["Columns"])
        self.assertNotRegex(columns, "(?i)password|passwd|token|cookie|authorization")

    def test_every_saved_query_names_the_days_it_reads(self) -> None:
        queries = saved_queries(self.template, "http")
        self.assertEqual(len(queries), 3)
        for name, sql in queries.items():
            with self.subTest(name):
                self.assertRegex(sql, r"WHERE dt >= ")
                self.assertNotIn("${", sql)


class Tasks(unittest.TestCase):
    def test_firelens_s_socket_is_the_user_s_and_the_driver_s_buffer_bounded(
        self,
    ) -> None:
        template = templates()["firelens.yaml"]
        (task,) = resources(template, "AWS::ECS::TaskDefinition").values()
        app, sidecar = task["ContainerDefinitions"]
        user = template["Parameters"]["SidecarUser"]
        self.assertEqual(sidecar["User"], {"Ref": "SidecarUser"})
        self.assertIn(f"\nUSER {user['Default']}\n", DOCKERFILE.read_text())
        _, as_root, otherwise = sidecar["LinuxParameters"]["Capabilities"]["Drop"][
            "Fn::If"
        ]
        self.assertEqual(otherwise, ["ALL"])
        self.assertNotIn("DAC_OVERRIDE", as_root)
        # A Name would be a second output.
        self.assertEqual(
            app["LogConfiguration"]["Options"],
            {"log-driver-buffer-limit": {"Ref": "LogDriverLines"}},
        )
        lines = template["Parameters"]["LogDriverLines"]["Default"]
        spared = (int(task["Memory"]) - sidecar["Memory"]) * 1024 * 1024
        # At 1 KB a line, no more than a tenth of what the sidecar leaves to the application.
        self.assertLess(lines * 1024, spared / 10)

    def test_the_sidecar_outlives_the_application(self) -> None:
        for name, template in templates().items():
            for task in resources(template, "AWS::ECS::TaskDefinition").values():
                app, sidecar = task["ContainerDefinitions"]
                with self.subTest(name):
                    self.assertEqual(
                        app["DependsOn"],
                        [{"ContainerName": sidecar["Name"], "Condition": "START"}],
                    )
                    # SIDECAR_GRACE is 25.
                    self.assertGreater(sidecar["StopTimeout"], 25)
                    # What ECS would do about an outage of Firehose is to end the task.
                    self.assertNotIn("HealthCheck", sidecar)
                    self.assertTrue(sidecar["ReadonlyRootFilesystem"])
