"""What the demo and its stories have in common: wait for a delivery, ask Athena and compare."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aws import Aws, Stack
from meter import Meter
from processes import Child
from queries import Query, Row
from report import print_rows, progress
from sidecar import Programs

# MiniStack converts a line in about a millisecond; a slow machine may take its time.
DELIVERY_SECONDS = 60
DELIVERY_SECONDS_A_LINE = 0.02
QUERY_SECONDS = 60
# A story's few lines wait for no others to share a record with.
ALONE = {"linger": "0s"}


@dataclass(frozen=True)
class Scene:
    """Where a story is told."""

    programs: Programs
    aws: Aws
    stack: Stack
    # MiniStack's, on loopback.
    port: int
    # In UTC.
    now: datetime
    # The first day (UTC) on which a record can have arrived.
    since: str
    workdir: Path


def deliver(process: Child, meter: Meter, lines: int) -> None:
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


def is_answered(aws: Aws, stack: Stack, query: Query) -> bool:
    """Asks Athena and prints the rows; whether they are the expected ones."""
    return print_rows(query, query.columns, _ask(aws, stack, query))


def _ask(aws: Aws, stack: Stack, query: Query) -> list[Row]:
    """The query's answer, of the columns to compare."""
    try:
        columns, rows = aws.query(stack, query.sql, query.parameters, QUERY_SECONDS)
    except RuntimeError:
        if not query.parameters:
            raise
        progress(
            "Not shown here: parameters of a query, which MiniStack does not fill in;"
            " the demo puts them into the text"
        )
        sql = query.sql
        for parameter in query.parameters:
            sql = sql.replace("?", parameter, 1)
        columns, rows = aws.query(stack, sql, (), QUERY_SECONDS)
    return query.compared(columns, rows)
