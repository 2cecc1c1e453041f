import unittest
from datetime import datetime
from typing import Any

from queries import Query, queries

NOW = datetime(2026, 1, 15, 12, 0, 0)
SAVED = {
    "Errors in the last hour": "SELECT errors",
    "Slowest routes": "SELECT routes",
    "One trace by its id": "SELECT lines WHERE traceid = ?",
}


def request(time: str, trace: str, route: str) -> dict[str, Any]:
    return {
        "timestamp": f"2026-01-{time}Z",
        "level": "info",
        "service": "shop",
        "context": "Http",
        "message": f"POST {route}",
        "traceId": trace,
        "method": "POST",
        "route": route,
    }


def response(
    time: str, trace: str, route: str, status: int, duration: float
) -> dict[str, Any]:
    answer = {
        **request(time, trace, route),
        "responseData": {"statusCode": status},
        "durationMs": duration,
    }
    if status >= 500:
        answer |= {"level": "error", "stack": "Error: no\n  at line"}
    return answer


LOG = [
    # Two days ago: in no query but the totals.
    response("13T12:00:00.000", "t0", "/a", 500, 9000.0),
    # Earlier today: no error of the last hour.
    response("15T09:00:00.000", "t1", "/a", 500, 70.5),
    request("15T11:59:00.001", "t2", "/b"),
    response("15T11:59:00.002", "t2", "/b", 200, 30.25),
    response("15T11:59:00.003", "t3", "/a", 500, 1.5),
    response("15T11:59:00.004", "t4", "/a", 500, 80.0),
]


def time(milliseconds: int) -> datetime:
    return datetime(2026, 1, 15, 11, 59, 0, milliseconds * 1000)


def ask(log: list[dict[str, Any]]) -> list[Query]:
    return queries("http", "2026-01-15", SAVED, log, NOW)


class Expected(unittest.TestCase):
    def test_the_demo_s_own_queries_know_their_rows(self) -> None:
        totals, statuses, *_ = ask(LOG)
        self.assertEqual(
            totals.expected, [(6, 5, 0, 5, datetime(2026, 1, 13, 12), time(4))]
        )
        self.assertEqual(statuses.expected, [(200, 1), (500, 4)])

    def test_errors_are_those_of_the_last_hour_the_latest_first(self) -> None:
        errors = ask(LOG)[2]
        self.assertEqual(
            errors.expected,
            [
                (time(4), "shop", "/a", "POST /a", "t4", "Error: no"),
                (time(3), "shop", "/a", "POST /a", "t3", "Error: no"),
            ],
        )

    def test_the_slowest_routes_are_those_of_the_last_day(self) -> None:
        # Of three responses the second is the last within 95 %.
        slowest = ask(LOG)[3]
        self.assertEqual(
            slowest.expected,
            [
                ("POST", "/a", 3, 3, 70.5, 80.0, "t4"),
                ("POST", "/b", 1, 0, 30.25, 30.25, "t2"),
            ],
        )

    def test_the_95th_of_a_hundred_and_one_responses_is_the_96th(self) -> None:
        log = [
            response("15T11:59:00.000", f"t{n}", "/a", 200 + 300 * (n == 0), float(n))
            for n in range(101)
        ]
        slowest = ask(log)[3]
        self.assertEqual(slowest.expected[0][4], 95.0)

    def test_a_trace_is_given_as_a_parameter(self) -> None:
        trace = ask(LOG[2:])[4]
        self.assertEqual(trace.parameters, ("'t4'",))
        self.assertEqual(
            trace.expected,
            [(time(4), "shop", "error", "Http", "POST /a", 500, 80.0)],
        )

    def test_a_log_without_an_answer_is_refused(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "Errors in the last hour"):
            ask(LOG[:2])

    def test_columns_that_are_not_compared_are_left_out_by_name(self) -> None:
        query = Query("", "", (), ("b", "a"), [])
        self.assertEqual(query.compared(["a", "host", "b"], [(1, 2, 3)]), [(3, 1)])
