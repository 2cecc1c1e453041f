"""A reverse proxy before the endpoint that measures what Firehose accepts and bills."""

import base64
import http.client
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bill import billed_bytes

# MiniStack converts to Parquet before it answers, about a millisecond a document.
UPSTREAM_SECONDS = 120
# The proxy sets these itself.
OWN_HEADERS = {"connection", "content-length", "date", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Traffic:
    """What Firehose accepted. A document is a line of a record."""

    calls: int = 0
    records: int = 0
    documents: int = 0
    billed_bytes: int = 0
    # What would be billed were every document a record of its own.
    billed_bytes_single: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.calls + other.calls,
            self.records + other.records,
            self.documents + other.documents,
            self.billed_bytes + other.billed_bytes,
            self.billed_bytes_single + other.billed_bytes_single,
        )


class Meter:
    """Adds up traffic from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traffic = Traffic()

    @property
    def traffic(self) -> Traffic:
        """Everything up to now."""
        with self._lock:
            return self._traffic

    def add(self, traffic: Traffic) -> None:
        """Counts `traffic` in."""
        with self._lock:
            self._traffic += traffic


def measure(request: bytes, reply: bytes) -> Traffic:
    """The traffic of one PutRecordBatch: those of its records that the reply accepts."""
    traffic = Traffic(calls=1)
    records = json.loads(request)["Records"]
    answers = json.loads(reply)["RequestResponses"]
    for record, answer in zip(records, answers, strict=True):
        if "RecordId" not in answer:
            continue
        data = base64.b64decode(record["Data"])
        documents = data.splitlines(keepends=True)
        traffic += Traffic(
            records=1,
            documents=len(documents),
            billed_bytes=billed_bytes(len(data)),
            billed_bytes_single=sum(map(billed_bytes, map(len, documents))),
        )
    return traffic


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # Either end may close; the other one sees it, as it would without the proxy.
        if not isinstance(sys.exc_info()[1], (OSError, http.client.HTTPException)):
            super().handle_error(request, client_address)


@contextmanager
def metering_proxy(meter: Meter, upstream_port: int) -> Iterator[str]:
    """The URL at which calls are measured and passed on to a loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body of an answer are two writes.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            upstream = http.client.HTTPConnection(
                "127.0.0.1", upstream_port, timeout=UPSTREAM_SECONDS
            )
            try:
                upstream.request("POST", self.path, request, dict(self.headers))
                answer = upstream.getresponse()
                reply = answer.read()
            finally:
                upstream.close()
            action = self.headers.get("X-Amz-Target", "")
            if answer.status == 200 and action.endswith(".PutRecordBatch"):
                meter.add(measure(request, reply))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OWN_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """No line per request: the demo prints its own progress."""

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
