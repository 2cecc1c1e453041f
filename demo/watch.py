"""Runs the sidecar under a Prometheus while the stream throttles, and draws the dashboard's panels.

Two outputs of one Fluent Bit deliver the same logs, one document a record and aggregated, to a
service on this machine that takes a fixed rate. The logs come slowly, then faster than that, then
slowly again. The panels are drawn from the answers to the queries of deploy/grafana/firehose.json.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from generator import SOME_DAY, documents
from panels import Panel, Points, svg
from processes import Child, child, free_port

DASHBOARD = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "firehose.json"
# The fake service's own, from AWS's documentation; they open nothing.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
READY_SECONDS = 60

QUOTA = "[quota]\nbytes_per_second = 700_000\n"
# Shares of the time, and bytes of logs in each second of them.
PHASES = ((0.32, 150_000), (0.32, 1_200_000), (0.36, 150_000))
# What Grafana would choose for its $__rate_interval.
RATE_INTERVAL = "10s"
STEP_SECONDS = 2

CONFIGURATION = """\
[SERVICE]
    flush       1
    grace       5
    http_server on
    http_listen 127.0.0.1
    http_port   {port}

[INPUT]
    name           tail
    path           {log}
    read_from_head true
    parser         json
    mem_buf_limit  50M

{outputs}
"""
OUTPUT = """\
[OUTPUT]
    name               firehose
    match              *
    alias              {name}
    delivery_stream    {name}
    region             us-east-1
    endpoint           {endpoint}
    simple_aggregation {aggregated}
    workers            1
    retry_limit        no_limits
    flush_timeout      10s
"""
PARSERS = "[PARSER]\n    name   json\n    format json\n"
SCRAPES = """\
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: fluent-bit
    metrics_path: /api/v2/metrics/prometheus
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugin", type=Path, required=True)
    parser.add_argument("--fake-firehose", type=Path, required=True)
    parser.add_argument("--prometheus", type=Path, required=True)
    parser.add_argument("--svg", type=Path, required=True, help="the picture to write")
    parser.add_argument("--seconds", type=int, default=125, help="how long (default 125)")
    arguments = parser.parse_args()
    fluent_bit = shutil.which("fluent-bit")
    if fluent_bit is None:
        print("error: there is no fluent-bit on PATH", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        panels = watch(arguments, fluent_bit, Path(folder), stack)
    arguments.svg.write_text(svg(panels, arguments.seconds))
    print(f"{arguments.svg}: {len(panels)} panels")
    return 0


def watch(
    arguments: argparse.Namespace, fluent_bit: str, folder: Path, stack: ExitStack
) -> list[Panel]:
    def start(name: str, command: list[str | Path]) -> Child:
        return stack.enter_context(child(name, command, CREDENTIALS, folder))

    (folder / "scenario.toml").write_text(QUOTA)
    fake = start(
        "fake-firehose",
        [arguments.fake_firehose.resolve(), "--scenario", "scenario.toml", "--keep", "counts",
         "--stream", "plain", "--stream", "aggregated", "--latency-ms", "20"],
    )  # fmt: skip
    fake.wait_until(lambda: fake.log.read_text().endswith("\n"), READY_SECONDS, "its address")
    endpoint = json.loads(fake.log.read_text().splitlines()[0])["url"]

    log = folder / "app.log"
    log.touch()
    port, prometheus_port = free_port(), free_port()
    outputs = [
        OUTPUT.format(name=name, endpoint=endpoint, aggregated=aggregated)
        for name, aggregated in (("plain", "false"), ("aggregated", "true"))
    ]
    configuration = CONFIGURATION.format(port=port, log=log, outputs="\n".join(outputs))
    (folder / "fluent-bit.conf").write_text(configuration)
    (folder / "parsers.conf").write_text(PARSERS)
    (folder / "prometheus.yml").write_text(SCRAPES.format(port=port))
    start(
        "fluent-bit",
        [fluent_bit, "-R", "parsers.conf", "-e", arguments.plugin.resolve(), "-c", "fluent-bit.conf"],
    )
    prometheus = start(
        "prometheus",
        [arguments.prometheus.resolve(), "--config.file", "prometheus.yml", "--storage.tsdb.path",
         folder / "tsdb", "--web.listen-address", f"127.0.0.1:{prometheus_port}"],
    )  # fmt: skip
    api = f"http://127.0.0.1:{prometheus_port}/api/v1"

    def is_scraped() -> bool:
        answer = ask(f"{api}/query", query="fluentbit_output_firehose_calls_in_flight")
        return answer is not None and len(answer) == 2

    prometheus.wait_until(is_scraped, READY_SECONDS, "a scrape of both outputs")
    began = time.time()
    feed(log, arguments.seconds)
    span = (began, began + arguments.seconds)
    return [
        Panel(panel["title"], panel["fieldConfig"]["defaults"]["unit"], answers(api, panel, span))
        for panel in json.loads(DASHBOARD.read_text())["panels"]
    ]


def feed(log: Path, total_seconds: int) -> None:
    """Appends logs to the file, ten times a second, as fast as the phases say."""
    lines = log_lines()
    with log.open("a") as file:
        for share, bytes_per_second in PHASES:
            seconds = share * total_seconds
            print(f"{bytes_per_second:,} bytes of logs a second for {seconds:.0f} s", flush=True)
            began = time.monotonic()
            owed = written = 0.0
            while (passed := time.monotonic() - began) < seconds:
                owed = passed * bytes_per_second
                while written < owed:
                    written += file.write(next(lines))
                file.flush()
                time.sleep(0.1)


def log_lines() -> Iterator[str]:
    """The same 2,000 lines over and over: making new ones would take the machine's time."""
    some = [
        json.dumps(document) + "\n"
        for document in documents(2000, seed=1, start=SOME_DAY)
    ]
    while True:
        yield from some


def answers(api: str, panel: dict[str, Any], span: tuple[float, float]) -> dict[str, Points]:
    """What the panel's queries give, by their legends."""
    series: dict[str, Points] = {}
    began, ended = span
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
        for variable in ("$name", "$stream", "$instance"):
            query = query.replace(variable, ".*")
        found = ask(
            f"{api}/query_range",
            query=query,
            start=str(began),
            end=str(ended),
            step=str(STEP_SECONDS),
        )
        for one in found or []:
            name = target["legendFormat"]
            for label, value in one["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            series[name] = [(float(at) - began, float(value)) for at, value in one["values"]]
    return series


def ask(address: str, **parameters: str) -> list[Any] | None:
    """The result of a query; none while Prometheus does not answer."""
    try:
        with urllib.request.urlopen(f"{address}?{urllib.parse.urlencode(parameters)}", timeout=10) as reply:
            return json.load(reply)["data"]["result"]
    except (OSError, urllib.error.URLError):
        return None


if __name__ == "__main__":
    sys.exit(main())
