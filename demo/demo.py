"""From a service's log file to Athena's rows and the bill, on this machine.

Runs Fluent Bit with the plugin and the project's sidecar configuration against the
project's CloudFormation template, deployed to MiniStack in the place of AWS. Then a
deployment adds a field, and log records come over OTLP. Checks every answer, and stops
everything it started.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import drift
import otlp
from aws import REGION, Aws, Stack, UnknownResourceTypes
from emulator import emulator
from generator import Document, documents
from meter import Meter, metering_proxy
from processes import Child
from queries import queries
from report import print_bill, progress
from sidecar import Destination, Programs, find_fluent_bit, run_tail
from steps import QUERY_SECONDS, Scene, deliver, is_answered
from template import load, resources, saved_queries

TEMPLATE = Path(__file__).resolve().parent.parent / "deploy" / "cloudformation.yaml"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Everything that the template can do. Nobody is written to.
PARAMETERS = {
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:000000000000:alarms",
    "BudgetEmail": "budget@example.com",
}
# What leaves the resources of a type out, where the emulator does not know it.
WITHOUT = {
    "AWS::Athena::NamedQuery": {"SavedQueries": "false"},
    "AWS::Budgets::Budget": {"BudgetEmail": ""},
}
# How long ago the service wrote its lines: the saved queries look back an hour or a day.
AGES = (timedelta(hours=30), timedelta(hours=3), timedelta(minutes=15))

DEPLOY_SECONDS = 60
# Fewer might lack an answer to one of the queries.
FEWEST_LINES = 2000


def main() -> int:
    """Runs the demo; the exit code."""
    arguments = _arguments()
    _forget_aws_settings()
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    try:
        return _run(arguments)
    except RuntimeError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    fluent_bit = find_fluent_bit()
    programs = Programs(
        arguments.plugin, arguments.host_bin, arguments.logs_bin, fluent_bit
    )
    # The partition of the first record: the day (UTC) on which it arrives.
    since = time.strftime("%Y-%m-%d", time.gmtime())
    with ExitStack() as running:
        directory = tempfile.TemporaryDirectory(prefix="firehose-demo-")
        workdir = Path(running.enter_context(directory))

        progress("MiniStack: starting")
        port = running.enter_context(emulator(workdir))
        progress(f"MiniStack: ready on port {port}, deploying {TEMPLATE.name}")
        aws = Aws(port)
        stack = _deploy(aws)
        progress(f"Stack: stream {stack.stream}, table {stack.database}.{stack.table}")
        template = load(TEMPLATE)
        right = _has_its_alarms(aws, stack, template)

        now = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
        log = _log(arguments.lines, arguments.seed, now)
        log_file = workdir / "service.log"
        line_bytes = _write(log, log_file)
        progress(f"Service: {len(log):,} lines logged, {line_bytes:,} bytes")

        if fluent_bit is None:
            progress("No fluent-bit on PATH: the project's own host takes its place")
        else:
            progress(f"Fluent Bit: starting {fluent_bit.path}")
        meter = Meter()
        endpoint = running.enter_context(metering_proxy(meter, port))
        to = Destination(stack.stream, endpoint)
        with run_tail(programs, log_file, to, workdir, {}) as sidecar:
            deliver(sidecar.process, meter, len(log))
        traffic = meter.traffic
        right &= traffic.documents == len(log)
        _print_complaints(sidecar.process)

        right &= _all_converted(aws, stack)
        saved = saved_queries(template, stack.table)
        for query in queries(stack.table, since, saved, log, now):
            right &= is_answered(aws, stack, query)
        if not aws.knows_projection(stack, QUERY_SECONDS):
            progress(
                "Not shown here: the table's partition projection, which MiniStack does"
                " not know; it looks for the days in the bucket instead"
            )
        print_bill(len(log), line_bytes, traffic)
        scene = Scene(programs, aws, stack, port, now, since, workdir)
        right &= drift.tell(scene)
        right &= otlp.tell(scene)
    progress("Every answer is right." if right else "WRONG ANSWERS, see above.")
    return 0 if right else 1


def _stop(number: int, _frame: object) -> None:
    """Unwinds the `with` blocks, which stop the children, undisturbed by a second one."""
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(f"Stopped by {signal.Signals(number).name}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plugin", type=_file, required=True, help="firehose.so")
    parser.add_argument(
        "--host-bin",
        type=_file,
        required=True,
        help="firehose-host, for where there is no fluent-bit",
    )
    parser.add_argument(
        "--logs-bin",
        type=_file,
        required=True,
        help="firehose-logs, which `make schema` runs",
    )
    parser.add_argument(
        "--lines",
        type=int,
        default=4000,
        help=f"log lines, at least {FEWEST_LINES} (default %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="what the lines are drawn from (default %(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.lines < FEWEST_LINES:
        parser.error(f"--lines {arguments.lines}: it must be at least {FEWEST_LINES}")
    return arguments


def _file(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not there; `make build` makes it")
    return path


def _forget_aws_settings() -> None:
    """So that neither a profile nor an endpoint of the user's has a say in here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def _deploy(aws: Aws) -> Stack:
    """The template's stack, with all that the emulator knows of it."""
    parameters = dict(PARAMETERS)
    try:
        return aws.deploy(TEMPLATE, parameters, DEPLOY_SECONDS)
    except UnknownResourceTypes as unknown:
        for kind in unknown.types:
            if kind not in WITHOUT:
                raise RuntimeError(f"MiniStack does not know {kind}") from unknown
            progress(f"Not shown here: {kind}, which MiniStack does not know")
            parameters.update(WITHOUT[kind])
    return aws.deploy(TEMPLATE, parameters, DEPLOY_SECONDS)


def _has_its_alarms(aws: Aws, stack: Stack, template: dict[str, Any]) -> bool:
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    wanted = {alarm["MetricName"] for alarm in alarms}
    found = aws.alarms(stack)
    progress(f"CloudWatch: alarms on {', '.join(sorted(found))}")
    return found == wanted


def _log(lines: int, seed: int, now: datetime) -> list[Document]:
    """As many lines of each age; half an exchange may be missing at the end of one."""
    log: list[Document] = []
    for number, age in enumerate(AGES):
        count = (lines - len(log)) // (len(AGES) - number)
        # A seed of its own, or the same trace would be in each.
        log += documents(count, seed * len(AGES) + number, now - age)
    return log


def _write(log: list[Document], log_file: Path) -> int:
    lines = [
        json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
        for document in log
    ]
    return log_file.write_bytes("".join(lines).encode())


def _print_complaints(process: Child) -> None:
    for line in process.log.read_text(errors="replace").splitlines():
        # Fluent Bit announces its end as a warning.
        if "service will shutdown" in line:
            continue
        if "[ warn]" in line or "[error]" in line:
            print(f"    {line}")


def _all_converted(aws: Aws, stack: Stack) -> bool:
    converted = aws.object_sizes(stack.bucket, "logs/")
    failed = aws.object_sizes(stack.bucket, "failed/")
    progress(
        f"S3: {len(converted)} Parquet objects of {sum(converted):,} bytes in all,"
        f" {len(failed)} records that failed conversion"
    )
    return not failed


if __name__ == "__main__":
    sys.exit(main())
