"""Prints a test for promtool: which alerts fire for one process and for 500, where some of them fail.

Usage: fleet.py ALERTS, the path of the rules. promtool takes JSON for YAML, and has no way to repeat a series.
"""

import json
import sys
from typing import Any

FLEET = 500
AT = "40m"
OUTPUT = {"name": "app", "stream": "logs"}
WELL = "well"

# A fault, and the one alert that must name the process that has it: its severity and texts.
FAULTS = {
    "dead": (
        "FirehoseProcessDown",
        "critical",
        "Fluent Bit does not answer on {pod}",
        "Prometheus gets no metrics from it. It had a firehose output in the last day; nothing may be delivered.",
    ),
    "stuck": (
        "FirehoseNothingDelivered",
        "critical",
        "app on {pod} delivers nothing to logs",
        "Calls are made and none was accepted for 10 minutes. Logs wait in Fluent Bit's storage.",
    ),
    "throttled": (
        "FirehoseThrottled",
        "warning",
        "logs throttles app on {pod}",
        "Calls waited 75% of the last 15 minutes.",
    ),
    "losing": (
        "FirehoseDataLost",
        "critical",
        "app on {pod} lost events on their way to logs",
        "Events were dropped or chunks given up in the last 15 minutes. Fluent Bit's log says why.",
    ),
}

# The series of a process, and their values in 40 minutes: those of a healthy one, which waits a thousandth of its time,
# and those that differ with a fault. A dead process has no values from the tenth minute on, but for `up`.
DELIVERED = {WELL: "0+100x40", "stuck": "0+100x10 1000x30"}
SERIES = [
    ("documents_total", {}, DELIVERED),
    ("calls_in_flight", {}, {WELL: "1x40"}),
    ("throttled_seconds_total", {}, {WELL: "0+0.06x40", "throttled": "0+45x40"}),
    ("calls_total", {"answer": "accepted"}, DELIVERED),
    ("calls_total", {"answer": "network"}, {WELL: "0x40", "stuck": "0x10 0+12x30"}),
    ("chunks_total", {"answer": "error"}, {WELL: "0x40"}),
    ("corrupt_chunks_total", {}, {WELL: "0x40"}),
    ("dropped_events_total", {"reason": "rejected"}, {WELL: "0x40", "losing": "0+1x40"}),
]
UP = {WELL: "1x40", "dead": "1x10 0x30"}


def labels(process: int) -> dict[str, str]:
    return {"job": "fluent-bit", "instance": f"10.0.0.1:{process}", "pod": f"app-{process}"}


def series(metric: str, labels: dict[str, str], values: str) -> dict[str, str]:
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return {"series": f"{metric}{{{pairs}}}", "values": values}


def of_process(number: int, fault: str) -> list[dict[str, str]]:
    own = [series("up", labels(number), UP.get(fault, UP[WELL]))]
    for metric, more, values in SERIES:
        value = "1x10 _x30" if fault == "dead" else values.get(fault, values[WELL])
        name = f"fluentbit_output_firehose_{metric}"
        own.append(series(name, labels(number) | OUTPUT | more, value))
    return own


def case(processes: int, faults: dict[int, str]) -> dict[str, Any]:
    """So many processes, of which those with these numbers have a fault."""
    inputs = [of_process(number, faults.get(number, WELL)) for number in range(processes)]
    checks = []
    for fault, (alert, *_) in FAULTS.items():
        fires = [firing(number, fault) for number, own in faults.items() if own == fault]
        checks.append({"eval_time": AT, "alertname": alert, "exp_alerts": fires})
    ill = ", ".join(faults.values()) or "none"
    return {
        "name": f"{processes} processes, of which have a fault: {ill}",
        "interval": "1m",
        "input_series": [one for own in inputs for one in own],
        "alert_rule_test": checks,
    }


def firing(process: int, fault: str) -> dict[str, dict[str, str]]:
    _, severity, summary, description = FAULTS[fault]
    where = labels(process)
    output = {} if fault == "dead" else OUTPUT
    return {
        "exp_labels": where | output | {"severity": severity},
        "exp_annotations": {"summary": summary.format(**where), "description": description},
    }


def main() -> None:
    one = [case(1, {0: fault}) for fault in FAULTS]
    fleet = case(FLEET, {100 * place: fault for place, fault in enumerate(FAULTS)})
    tests = [case(1, {}), *one, case(FLEET, {}), fleet]
    print(json.dumps({"rule_files": [sys.argv[1]], "evaluation_interval": "1m", "tests": tests}))


if __name__ == "__main__":
    main()
