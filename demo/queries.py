"""What the demo asks Athena, each query with the rows that the written documents must yield."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from generator import Document

Row = tuple[object, ...]

# The limits of the saved queries.
MOST_ERRORS = 1000
MOST_ROUTES = 20


@dataclass(frozen=True)
class Query:
    """A question in words and in Athena's SQL, and its answer."""

    title: str
    sql: str
    # The values of the question marks in `sql`, as SQL literals.
    parameters: tuple[str, ...]
    # The columns to compare; the sidecar may fill others.
    columns: tuple[str, ...]
    expected: list[Row]

    def compared(self, columns: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        """Of an answer, the columns to compare."""
        places = [columns.index(column) for column in self.columns]
        return [tuple(row[place] for place in places) for row in rows]


def queries(
    table: str, since: str, saved: Mapping[str, str], log: list[Document], now: datetime
) -> list[Query]:
    """The demo's own queries over `table`, for the days from `since` on (yyyy-mm-dd, UTC), and the template's.

    `now` is when `log` was written, in UTC. The saved queries take the time at which they run instead: no document may be
    close to the edge of an hour ago or of a day ago.
    """
    return [
        _totals(table, since, log),
        _statuses(table, since, log),
        _errors(saved, _since(log, now - timedelta(hours=1))),
        _slowest_routes(saved, _since(log, now - timedelta(hours=24))),
        _trace(saved, log),
    ]


def _totals(table: str, since: str, log: list[Document]) -> Query:
    expected = (
        len(log),
        len({document["traceId"] for document in log}),
        sum("requestBody" in document for document in log),
        len(_responses(log)),
        min(map(_time, log)),
        max(map(_time, log)),
    )
    return Query(
        "Everything that was logged",
        f"SELECT count(*) AS documents, count(DISTINCT traceid) AS traces,\n"
        f"       count(requestbody) AS request_bodies, count(responsedata) AS responses,\n"
        f"       min(ts) AS earliest, max(ts) AS latest\n"
        f"FROM {table} WHERE dt >= '{since}'",
        (),
        ("documents", "traces", "request_bodies", "responses", "earliest", "latest"),
        [expected],
    )


def _statuses(table: str, since: str, log: list[Document]) -> Query:
    counts = Counter(
        document["responseData"]["statusCode"] for document in _responses(log)
    )
    return Query(
        "Responses by status code",
        f"SELECT responsedata.statuscode AS status, count(*) AS responses\n"
        f"FROM {table} WHERE dt >= '{since}' AND responsedata IS NOT NULL\n"
        f"GROUP BY responsedata.statuscode ORDER BY status",
        (),
        ("status", "responses"),
        sorted(counts.items()),
    )


def _errors(saved: Mapping[str, str], log: list[Document]) -> Query:
    rows: list[Row] = [
        (
            _time(document),
            document["service"],
            document["route"],
            document["message"],
            document["traceId"],
            document["stack"].splitlines()[0],
        )
        for document in reversed(log)
        if document["level"] == "error"
    ]
    return _saved(
        "Errors in the last hour",
        saved,
        (),
        ("ts", "service", "route", "message", "traceid", "exception"),
        rows[:MOST_ERRORS],
    )


def _slowest_routes(saved: Mapping[str, str], log: list[Document]) -> Query:
    by_route: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in _responses(log):
        by_route[document["method"], document["route"]].append(document)
    rows: list[tuple[str, str, int, int, float, float, str]] = []
    for (method, route), responses in by_route.items():
        responses.sort(key=lambda response: response["durationMs"])
        # The last of those that have no more than 95 % of the others before them.
        p95 = responses[(len(responses) - 1) * 95 // 100]
        failed = sum(map(_failed, responses))
        slowest = responses[-1]
        rows.append(
            (
                method,
                route,
                len(responses),
                failed,
                p95["durationMs"],
                slowest["durationMs"],
                slowest["traceId"],
            )
        )
    rows.sort(key=lambda row: row[4], reverse=True)
    return _saved(
        "Slowest routes",
        saved,
        (),
        (
            "method",
            "route",
            "responses",
            "failed",
            "p95_ms",
            "slowest_ms",
            "slowest_trace",
        ),
        list(rows[:MOST_ROUTES]),
    )


def _trace(saved: Mapping[str, str], log: list[Document]) -> Query:
    """One exchange, request and response: the slowest failed one, else the slowest."""
    worst = max(
        _responses(log),
        key=lambda response: (_failed(response), response["durationMs"]),
    )
    rows: list[Row] = [
        (
            _time(document),
            document["service"],
            document["level"],
            document["context"],
            document["message"],
            document.get("responseData", {}).get("statusCode"),
            document.get("durationMs"),
        )
        for document in log
        if document["traceId"] == worst["traceId"]
    ]
    return _saved(
        "One trace by its id",
        saved,
        (f"'{worst['traceId']}'",),
        ("ts", "service", "level", "context", "message", "status", "durationms"),
        rows,
    )


def _saved(
    name: str,
    saved: Mapping[str, str],
    parameters: tuple[str, ...],
    columns: tuple[str, ...],
    expected: list[Row],
) -> Query:
    if not expected:
        raise RuntimeError(
            f"The log has no answer to {name!r}: take more lines or another seed."
        )
    return Query(name, saved[name].rstrip(), parameters, columns, expected)


def _since(log: list[Document], start: datetime) -> list[Document]:
    return [document for document in log if _time(document) >= start]


def _responses(log: list[Document]) -> list[Document]:
    return [document for document in log if "responseData" in document]


def _failed(response: Document) -> bool:
    return bool(response["responseData"]["statusCode"] >= 500)


def _time(document: Document) -> datetime:
    return datetime.fromisoformat(document["timestamp"].removesuffix("Z"))
