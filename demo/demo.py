"""From a service's log file to Athena's rows and the bill, on this machine.

Runs Fluent Bit with the plugin and the project's sidecar configuration against the
project's CloudFormation template, deployed to MiniStack in the place of AWS. Checks
every answer, and stops everything it started.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from aws import Aws, Stack
from emulator import emulator
from generator import Document, documents
from meter import Meter, metering_proxy
from processes import Child
from queries import queries
from report import print_bill, print_rows, progress
from sidecar import find_fluent_bit, run_fluent_bit, run_host

TEMPLATE = Path(__file__).resolve().parent.parent / "deploy" / "cloudformation.yaml"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

DEPLOY_SECONDS = 60
# MiniStack converts a line in about a millisecond; a slow machine may take its time.
DELIVERY_SECONDS = 60
DELIVERY_SECONDS_A_LINE = 0.02
QUERY_SECONDS = 60
# Fewer might lack an answer to one of the queries.
FEWEST_LINES = 100


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
    # The partition of the first record: the day (UTC) on which it arrives.
    since = time.strftime("%Y-%m-%d", time.gmtime())
    with ExitStack() as running:
        directory = tempfile.TemporaryDirectory(prefix="firehose-demo-")
        workdir = Path(running.enter_context(directory))

        progress("MiniStack: starting")
        port = running.enter_context(emulator(workdir))
        progress(f"MiniStack: ready on port {port}, deploying {TEMPLATE.name}")
        aws = Aws(port)
        stack = aws.deploy(TEMPLATE, DEPLOY_SECONDS)
        progress(f"Stack: stream {stack.stream}, table {stack.database}.{stack.table}")

        log = documents(arguments.lines, arguments.seed)
        log_file = workdir / "service.log"
        line_bytes = _write(log, log_file)
        progress(f"Service: {len(log):,} lines logged, {line_bytes:,} bytes")

        meter = Meter()
        endpoint = running.enter_context(metering_proxy(meter, port))
        with _sidecar(arguments, log_file, stack, endpoint, workdir) as process:
            _deliver(process, meter, len(log))
        traffic = meter.traffic
        right = traffic.documents == len(log)
        _print_complaints(process)

        right &= _all_converted(aws, stack)
        for query in queries(stack.table, since, log):
            columns, rows = aws.query(stack, query.sql, QUERY_SECONDS)
            right &= print_rows(query, columns, rows)
        print_bill(len(log), line_bytes, traffic)
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


def _write(log: list[Document], log_file: Path) -> int:
    lines = [
        json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
        for document in log
    ]
    return log_file.write_bytes("".join(lines).encode())


def _sidecar(
    arguments: argparse.Namespace,
    log_file: Path,
    stack: Stack,
    endpoint: str,
    workdir: Path,
) -> AbstractContextManager[Child]:
    delivery = (arguments.plugin, log_file, stack.stream, endpoint, workdir)
    fluent_bit = find_fluent_bit()
    if fluent_bit is None:
        progress("No fluent-bit on PATH: the project's own host takes its place")
        return run_host(arguments.host_bin, *delivery)
    progress(f"Fluent Bit: starting {fluent_bit}")
    return run_fluent_bit(fluent_bit, *delivery)


def _deliver(process: Child, meter: Meter, lines: int) -> None:
    """Waits until Firehose has accepted every line."""
    shown = 0

    def is_delivered() -> bool:
        nonlocal shown
        accepted = meter.traffic.documents
        if accepted != shown:
            progress(f"Firehose: {accepted:,} of {lines:,} lines accepted")
            shown = accepted
        return accepted >= lines

    seconds = DELIVERY_SECONDS + lines * DELIVERY_SECONDS_A_LINE
    process.wait_until(is_delivered, seconds, f"delivery of {lines:,} lines")


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
