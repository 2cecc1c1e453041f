"""The story of log records that come over OTLP: their ids and attributes are found in Athena."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

from aws import STACK_NAME
from loopback import ask
from meter import Meter, metering_proxy
from queries import Query
from report import progress
from sidecar import Destination, run_otlp
from steps import ALONE, Scene, deliver, is_answered

TEMPLATE = Path(__file__).resolve().parent.parent / "deploy" / "streams" / "stream.yaml"
NAMESPACE = "otlp"
DEPLOY_SECONDS = 60
INPUT_SECONDS = 30
# The first version that keeps what belongs to a resource.
SINCE = (3, 2)

OPTIONS = {
    **ALONE,
    "metadata_key": "metadata",
    "group_key": "origin",
    "replace_dots": "_",
}
# The columns of these two keys.
COLUMNS = [
    {
        "Name": "metadata",
        "Type": "struct<otlp:struct<observed_timestamp:bigint,severity_number:bigint,severity_text:string,"
        "attributes:struct<user_id:string>,trace_id:string,span_id:string>>",
    },
    {
        "Name": "origin",
        "Type": "struct<resource:struct<attributes:struct<service_name:string>>,scope:struct<name:string>>",
    },
]

SEVERITIES = {"INFO": 9, "WARN": 13, "ERROR": 17}
TRACE = "5b8efff798038103d269b633813fc60c"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True)
class Record:
    """A log record of an instrumented service."""

    service: str
    severity: str
    trace: str
    span: str
    user: str
    text: str


# The first two services took part in one trace.
RECORDS = (
    Record("checkout", "INFO", TRACE, "eee19b7ec3c1b174", "zoe", "order placed"),
    Record("checkout", "WARN", TRACE, "eee19b7ec3c1b175", "zoe", "payment is slow"),
    Record("payment", "ERROR", TRACE, "eee19b7ec3c1b176", "zoe", "card declined"),
    Record("search", "INFO", OTHER_TRACE, "b7ad6b7169203331", "ada", "12 results"),
)


def tell(scene: Scene) -> bool:
    """Tells the story with a stream and a table of its own; whether all of Athena's answers are right."""
    print("\nLog records come over OTLP\n")
    fluent_bit = scene.programs.fluent_bit
    if fluent_bit is None or fluent_bit.version < SINCE:
        progress(
            "Not shown here: Fluent Bit's own input takes them, and no fluent-bit of"
            " 3.2 or later is on PATH"
        )
        return True
    parameters = {"LogsStack": STACK_NAME, "Namespace": NAMESPACE}
    made = scene.aws.create_stack(NAMESPACE, TEMPLATE, parameters, DEPLOY_SECONDS)
    stack = replace(scene.stack, stream=made["StreamName"], table=made["TableName"])
    scene.aws.add_columns(stack, COLUMNS)
    progress(f"Stack: stream {stack.stream}, table {stack.database}.{stack.table}")

    workdir = scene.workdir / NAMESPACE
    workdir.mkdir()
    body = json.dumps(_request(scene)).encode()
    meter = Meter()
    with metering_proxy(meter, scene.port) as endpoint:
        to = Destination(stack.stream, endpoint)
        with run_otlp(scene.programs, to, workdir, OPTIONS) as (process, url):
            process.wait_until(
                lambda: ask(url, body) is not None,
                INPUT_SECONDS,
                "taking log records",
            )
            progress(f"OTLP: {len(RECORDS)} log records sent by HTTP")
            deliver(process, meter, len(RECORDS))
    answers = [
        is_answered(scene.aws, stack, query) for query in _queries(scene, stack.table)
    ]
    return all(answers)


def _request(scene: Scene) -> dict[str, Any]:
    """An export as the OpenTelemetry SDKs send it: a resource for each service."""
    start = scene.now.replace(tzinfo=timezone.utc)

    def attribute(key: str, value: str) -> list[dict[str, Any]]:
        return [{"key": key, "value": {"stringValue": value}}]

    def record(number: int, one: Record) -> dict[str, Any]:
        time = start + timedelta(seconds=number)
        nanoseconds = f"{int(time.timestamp())}000000000"
        return {
            "timeUnixNano": nanoseconds,
            "observedTimeUnixNano": nanoseconds,
            "severityNumber": SEVERITIES[one.severity],
            "severityText": one.severity,
            "traceId": one.trace,
            "spanId": one.span,
            "attributes": attribute("user.id", one.user),
            "body": {"stringValue": one.text},
        }

    def resource(service: str) -> dict[str, Any]:
        records = [
            record(number, one)
            for number, one in enumerate(RECORDS)
            if one.service == service
        ]
        return {
            "resource": {"attributes": attribute("service.name", service)},
            "scopeLogs": [{"scope": {"name": "demo"}, "logRecords": records}],
        }

    services = dict.fromkeys(one.service for one in RECORDS)
    return {"resourceLogs": [resource(service) for service in services]}


def _queries(scene: Scene, table: str) -> list[Query]:
    where = f"FROM {table} WHERE dt >= '{scene.since}'"
    service = "origin.resource.attributes.service_name"
    counts = Counter((SEVERITIES[one.severity], one.severity) for one in RECORDS)
    return [
        Query(
            "Records by severity",
            f"SELECT metadata.otlp.severity_number AS number, metadata.otlp.severity_text AS severity,\n"
            f"       count(*) AS records\n{where}\n"
            f"GROUP BY metadata.otlp.severity_number, metadata.otlp.severity_text ORDER BY number",
            (),
            ("number", "severity", "records"),
            [(*severity, count) for severity, count in sorted(counts.items())],
        ),
        Query(
            "One trace by its id, over all services",
            f"SELECT {service} AS service, metadata.otlp.span_id AS span,\n"
            f"       metadata.otlp.attributes.user_id AS user_id, log\n{where}\n"
            f"AND metadata.otlp.trace_id = '{TRACE}' ORDER BY ts",
            (),
            ("service", "span", "user_id", "log"),
            [
                (one.service, one.span, one.user, one.text)
                for one in RECORDS
                if one.trace == TRACE
            ],
        ),
        Query(
            "Records of one service, by the resource's attribute",
            f"SELECT metadata.otlp.severity_text AS severity, log\n{where}\n"
            f"AND {service} = 'checkout' ORDER BY ts",
            (),
            ("severity", "log"),
            [(one.severity, one.text) for one in RECORDS if one.service == "checkout"],
        ),
    ]
