"""The story of a deployment that adds a field: told by the plugin, added to the table, found in Athena."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import yaml

from generator import Document, iso
from loopback import ask
from meter import Meter, metering_proxy
from queries import Query, Row
from report import progress
from sidecar import Destination, Sidecar, run_tail
from steps import ALONE, Scene, deliver, is_answered

SERVICE = "cart-api"
FIELD = "cartTotal"
COLUMN = {"Name": "carttotal", "Type": "bigint"}

TOLD = f"schema_file has no column for the key `{FIELD}` of tag "
DOCUMENTS = "fluentbit_output_firehose_documents_total"
FINDINGS = "fluentbit_output_firehose_schema_findings_total"
METRIC_SECONDS = 30
SCHEMA_SECONDS = 30


def tell(scene: Scene) -> bool:
    """Tells the story with the table of the scene's stack; whether Athena's answer is right.

    Raises where a step before it does not hold.
    """
    print(f"\nA deployment adds a field, {FIELD}\n")
    earlier = [
        _line(scene, 1, "before the deployment"),
        _line(scene, 2, "the field has no column", **{FIELD: 1200}),
    ]
    later = [_line(scene, 3, "the column is there", **{FIELD: 3400})]

    log, told = _delivered(scene, earlier, "deployed")
    if told != 1:
        raise RuntimeError(f"The plugin told of {FIELD} {told} times, not once.")
    columns = _columns_to_add(scene, log)
    for column in columns:
        progress(f"make schema LOG={log.name}: {column['Name']} {column['Type']}")
    if columns != [COLUMN]:
        raise RuntimeError(f"`make schema` asks for {columns}, not for {COLUMN}.")
    scene.aws.add_columns(scene.stack, columns)
    progress(
        f"Glue: {scene.stack.table} has the column, and schema_file is written anew"
    )
    _, told = _delivered(scene, later, "added")
    if told:
        raise RuntimeError(f"The plugin tells of {FIELD}, which has a column.")
    return is_answered(scene.aws, scene.stack, _query(scene, earlier, later))


def _line(scene: Scene, second: int, message: str, **fields: int) -> Document:
    return {
        "timestamp": iso(scene.now + timedelta(seconds=second)),
        "level": "info",
        "service": SERVICE,
        "message": message,
        **fields,
    }


def _delivered(scene: Scene, lines: list[Document], name: str) -> tuple[Path, int]:
    """Delivers the lines, beside the table as it is now; the plugin's log, and how often it told of the field."""
    workdir = scene.workdir / name
    workdir.mkdir()
    log = workdir / "service.log"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    schema_file = workdir / "table.json"
    # Glue tells when the table was made.
    table = json.dumps(scene.aws.table(scene.stack), default=str)
    schema_file.write_text(table)
    options = {**ALONE, "schema_file": str(schema_file)}
    meter = Meter()
    with metering_proxy(meter, scene.port) as endpoint:
        to = Destination(scene.stack.stream, endpoint)
        with run_tail(scene.programs, log, to, workdir, options) as sidecar:
            deliver(sidecar.process, meter, len(lines))
            counted = _counted(sidecar, len(lines))
    # The process has ended, so its log is whole.
    printed = sidecar.process.log.read_text().splitlines()
    told = [line for line in printed if TOLD in line]
    for line in told or ["no key without a column"]:
        progress(f"Plugin: {line}")
    if counted is None:
        progress(
            "Not shown here: the plugin's metrics, which this host has no place for"
        )
    else:
        progress(f"Metric: {FINDINGS} is {counted:.0f}")
        if counted != len(told):
            raise RuntimeError("The log and the metric differ.")
    return sidecar.process.log, len(told)


def _counted(sidecar: Sidecar, lines: int) -> float | None:
    """The findings that the metric tells of, once it knows of all lines."""
    metrics = sidecar.metrics
    if metrics is None:
        return None
    sidecar.process.wait_until(
        lambda: _sum(metrics, DOCUMENTS) == lines, METRIC_SECONDS, "its metrics"
    )
    return _sum(metrics, FINDINGS)


def _sum(metrics: str, name: str) -> float:
    """Of all series of a counter."""
    lines = (ask(metrics) or "").splitlines()
    # A value, and perhaps a time behind it.
    series = [line.rpartition("}")[2] for line in lines if line.startswith(f"{name}{{")]
    return sum(float(values.split()[0]) for values in series)


def _columns_to_add(scene: Scene, log: Path) -> list[dict[str, str]]:
    """What `make schema LOG=` prints."""
    command: list[str | Path] = [scene.programs.logs, "schema", "--told", log]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SCHEMA_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"`make schema` failed: {done.stderr}")
    columns = yaml.safe_load(done.stdout)["Columns"]
    assert isinstance(columns, list)
    return columns


def _query(scene: Scene, earlier: list[Document], later: list[Document]) -> Query:
    column = COLUMN["Name"]
    expected: list[Row] = [(line["message"], None) for line in earlier]
    expected += [(line["message"], line[FIELD]) for line in later]
    return Query(
        f"Lines of {SERVICE}: nothing in the column before it was there",
        f"SELECT message, {column} FROM {scene.stack.table}\n"
        f"WHERE dt >= '{scene.since}' AND service = '{SERVICE}' ORDER BY ts",
        (),
        ("message", column),
        expected,
    )
