"""What the demo asks Athena, each query with the rows that the written documents must yield."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

from generator import Document

Row = tuple[object, ...]

SLOWEST_ROUTES = 5


@dataclass(frozen=True)
class Query:
    """A question in words and in Athena's SQL, and its answer."""

    title: str
    sql: str
    expected: list[Row]


def queries(table: str, since: str, log: list[Document]) -> list[Query]:
    """The demo's queries over `table`, for the days from `since` on (yyyy-mm-dd, UTC)."""
    return [
        _totals(table, since, log),
        _statuses(table, since, log),
        _slowest_routes(table, since, log),
        _trace(table, since, log),
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
        sorted(counts.items()),
    )


def _slowest_routes(table: str, since: str, log: list[Document]) -> Query:
    by_route: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in _responses(log):
        by_route[document["method"], document["route"]].append(document)
    rows: list[tuple[str, str, int, int, float]] = [
        (
            method,
            route,
            len(responses),
            sum(
                response["responseData"]["statusCode"] >= 500 for response in responses
            ),
            max(response["durationMs"] for response in responses),
        )
        for (method, route), responses in by_route.items()
    ]
    rows.sort(key=lambda row: row[-1], reverse=True)
    return Query(
        "Slowest routes",
        f"SELECT method, route, count(*) AS responses,\n"
        f"       count_if(responsedata.statuscode >= 500) AS errors,\n"
        f"       max(durationms) AS slowest_ms\n"
        f"FROM {table} WHERE dt >= '{since}' AND responsedata IS NOT NULL\n"
        f"GROUP BY method, route ORDER BY slowest_ms DESC LIMIT {SLOWEST_ROUTES}",
        list(rows[:SLOWEST_ROUTES]),
    )


def _trace(table: str, since: str, log: list[Document]) -> Query:
    """One exchange, request and response: the slowest failed one, else the slowest."""
    worst = max(
        _responses(log),
        key=lambda response: (_failed(response), response["durationMs"]),
    )
    rows: list[Row] = [
        (
            _time(document),
            document["level"],
            document["message"],
            document.get("responseData", {}).get("statusCode"),
            document.get("durationMs"),
        )
        for document in log
        if document["traceId"] == worst["traceId"]
    ]
    return Query(
        "One trace by its id",
        f"SELECT ts, level, message, responsedata.statuscode AS status, durationms\n"
        f"FROM {table} WHERE dt >= '{since}' AND traceid = '{worst['traceId']}'\n"
        f"ORDER BY ts",
        rows,
    )


def _responses(log: list[Document]) -> list[Document]:
    return [document for document in log if "responseData" in document]


def _failed(response: Document) -> bool:
    return bool(response["responseData"]["statusCode"] >= 500)


def _time(document: Document) -> datetime:
    return datetime.fromisoformat(document["timestamp"].removesuffix("Z"))
