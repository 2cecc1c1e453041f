import unittest
from datetime import datetime
from typing import Any

from queries import queries

LOG: list[dict[str, Any]] = [
    {
        "timestamp": "2026-01-15T00:00:00.001Z",
        "level": "info",
        "message": "POST /a",
        "traceId": "t1",
        "method": "POST",
        "route": "/a",
        "requestBody": {},
    },
    {
        "timestamp": "2026-01-15T00:00:00.002Z",
        "level": "error",
        "message": "POST /a 500",
        "traceId": "t1",
        "method": "POST",
        "route": "/a",
        "responseData": {"statusCode": 500},
        "durationMs": 1.5,
    },
    {
        "timestamp": "2026-01-15T00:00:00.003Z",
        "level": "info",
        "message": "GET /b 200",
        "traceId": "t2",
        "method": "GET",
        "route": "/b",
        "responseData": {"statusCode": 200},
        "durationMs": 30.25,
    },
    {
        "timestamp": "2026-01-15T00:00:00.004Z",
        "level": "info",
        "message": "GET /b",
        "traceId": "t3",
        "method": "GET",
        "route": "/b",
    },
]


def time(milliseconds: int) -> datetime:
    return datetime(2026, 1, 15, microsecond=milliseconds * 1000)


class Expected(unittest.TestCase):
    def test_every_query_knows_its_rows(self) -> None:
        totals, statuses, slowest, trace = queries("http", "2026-01-15", LOG)
        self.assertEqual(totals.expected, [(4, 3, 1, 2, time(1), time(4))])
        self.assertEqual(statuses.expected, [(200, 1), (500, 1)])
        self.assertEqual(
            slowest.expected, [("GET", "/b", 1, 0, 30.25), ("POST", "/a", 1, 1, 1.5)]
        )
        self.assertEqual(
            trace.expected,
            [
                (time(1), "info", "POST /a", None, None),
                (
                    datetime(2026, 1, 15, 0, 0, 0, 2000),
                    "error",
                    "POST /a 500",
                    500,
                    1.5,
                ),
            ],
        )
        self.assertIn("traceid = 't1'", trace.sql)
