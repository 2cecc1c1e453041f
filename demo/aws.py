"""The AWS calls of the demo: deploy the template, look at the bucket, query Athena."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# The region whose prices the bill uses.
REGION = "ap-northeast-2"
# MiniStack takes any; nothing here is ever sent elsewhere.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

STACK_NAME = "demo"
POLL_SECONDS = 0.1

# A day before any that the table's projection knows.
UNPROJECTED_DAY = "1999-01-01"


class UnknownResourceTypes(Exception):
    """The template has resources of types that the emulator does not know."""

    def __init__(self, types: list[str]) -> None:
        super().__init__(", ".join(types))
        self.types = types


@dataclass(frozen=True)
class Stack:
    """The names of what the template made."""

    stream: str
    bucket: str
    database: str
    table: str
    workgroup: str


class Aws:
    """The services behind one endpoint on loopback."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def deploy(
        self, template: Path, parameters: Mapping[str, str], seconds: float
    ) -> Stack:
        """The whole system, by the template for it."""
        output = self.create_stack(STACK_NAME, template, parameters, seconds)
        return Stack(
            stream=output["StreamName"],
            bucket=output["BucketName"],
            database=output["DatabaseName"],
            table=output["TableName"],
            workgroup=output["WorkGroupName"],
        )

    def create_stack(
        self, name: str, template: Path, parameters: Mapping[str, str], seconds: float
    ) -> dict[str, str]:
        """Creates a stack of the template and waits for it; its outputs."""
        cloudformation = self._client("cloudformation")
        try:
            cloudformation.create_stack(
                StackName=name,
                TemplateBody=template.read_text(),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
                Capabilities=["CAPABILITY_IAM"],
            )
        except ClientError as error:
            unknown = re.search(r"Unrecognized resource types: \[(.*)]", str(error))
            if unknown is None:
                raise RuntimeError(f"{template.name} is refused: {error}") from error
            raise UnknownResourceTypes(unknown[1].split(", ")) from error
        deadline = time.monotonic() + seconds
        while True:
            answer = cloudformation.describe_stacks(StackName=name)
            stack = answer["Stacks"][0]
            status = stack["StackStatus"]
            if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        if status != "CREATE_COMPLETE":
            events = cloudformation.describe_stack_events(StackName=name)
            reasons = [
                f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
                for event in events["StackEvents"]
                if event["ResourceStatus"].endswith("_FAILED")
            ]
            raise RuntimeError(f"{template.name} is {status}. {'; '.join(reasons)}")
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}

    def object_sizes(self, bucket: str, prefix: str) -> list[int]:
        """The bytes of each object under `prefix`."""
        paginator = self._client("s3").get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Size"] for page in pages for entry in page.get("Contents", [])]

    def table(self, stack: Stack) -> dict[str, Any]:
        """The table as `aws glue get-table` prints it, with the stream's names for its columns."""
        answer = self._client("glue").get_table(
            DatabaseName=stack.database, Name=stack.table
        )
        stream = self._client("firehose").describe_delivery_stream(
            DeliveryStreamName=stack.stream
        )["DeliveryStreamDescription"]
        destination = stream["Destinations"][0]["ExtendedS3DestinationDescription"]
        conversion = destination["DataFormatConversionConfiguration"]
        serde = conversion["InputFormatConfiguration"]["Deserializer"]["OpenXJsonSerDe"]
        mappings = serde["ColumnToJsonKeyMappings"]
        return {"Table": answer["Table"], "ColumnToJsonKeyMappings": mappings}

    def add_columns(self, stack: Stack, columns: Sequence[Mapping[str, str]]) -> None:
        """Adds columns behind those that the table has."""
        table = self.table(stack)["Table"]
        table["StorageDescriptor"]["Columns"] += columns
        kept = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        self._client("glue").update_table(
            DatabaseName=stack.database, TableInput={key: table[key] for key in kept}
        )

    def alarms(self, stack: Stack) -> set[str]:
        """The metrics of the stream that an alarm watches and tells its topic about."""
        alarms = self._client("cloudwatch").describe_alarms()["MetricAlarms"]
        stream = [{"Name": "DeliveryStreamName", "Value": stack.stream}]
        return {
            alarm["MetricName"]
            for alarm in alarms
            if alarm["Dimensions"] == stream and alarm["AlarmActions"]
        }

    def knows_projection(self, stack: Stack, seconds: float) -> bool:
        """Whether Athena keeps to the table's partition projection, tried with a day outside of it."""
        s3 = self._client("s3")
        listed = s3.list_objects_v2(Bucket=stack.bucket, Prefix="logs/", MaxKeys=1)
        source = {"Bucket": stack.bucket, "Key": listed["Contents"][0]["Key"]}
        day = UNPROJECTED_DAY
        s3.copy_object(
            Bucket=stack.bucket, Key=f"logs/dt={day}/a.parquet", CopySource=source
        )
        sql = f"SELECT count(*) FROM {stack.table} WHERE dt = '{day}'"
        _, rows = self.query(stack, sql, (), seconds)
        return rows == [(0,)]

    def query(
        self, stack: Stack, sql: str, parameters: Sequence[str], seconds: float
    ) -> tuple[list[str], list[tuple[object, ...]]]:
        """Runs `sql`; the columns' names, and the rows in Python's types.

        `parameters` are SQL literals for the question marks in it.
        """
        athena = self._client("athena")
        execution = {"ExecutionParameters": list(parameters)} if parameters else {}
        query_id = athena.start_query_execution(
            **execution,
            QueryString=sql,
            WorkGroup=stack.workgroup,
            QueryExecutionContext={"Database": stack.database},
        )["QueryExecutionId"]
        deadline = time.monotonic() + seconds
        while True:
            answer = athena.get_query_execution(QueryExecutionId=query_id)
            status = answer["QueryExecution"]["Status"]
            state = status["State"]
            if state not in ("QUEUED", "RUNNING") or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        if state != "SUCCEEDED":
            reason = status.get("StateChangeReason", "no reason given")
            raise RuntimeError(f"An Athena query is {state}: {reason}\n{sql}")
        result = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]
        columns = result["ResultSetMetadata"]["ColumnInfo"]
        types = [column["Type"] for column in columns]
        # The first row repeats the columns' names.
        rows = [
            tuple(
                _value(athena_type, cell.get("VarCharValue"))
                for athena_type, cell in zip(types, row["Data"], strict=True)
            )
            for row in result["Rows"][1:]
        ]
        return [column["Name"] for column in columns], rows

    def _client(self, service: str) -> Any:
        # A proxy of the environment must not see calls to loopback.
        config = Config(proxies={})
        return self._session.client(service, endpoint_url=self._url, config=config)


def _value(athena_type: str, text: str | None) -> object:
    if text is None:
        return None
    if athena_type in ("tinyint", "smallint", "integer", "bigint"):
        return int(text)
    if athena_type in ("float", "double"):
        return float(text)
    if athena_type == "timestamp":
        return datetime.fromisoformat(text)
    return text
