"""Sends one log line through the unpacked plugin to a stand-in for Firehose on loopback, and prints what arrives there.

Run it in the unpacked package. It needs a fluent-bit on PATH and Python 3.10 or later; no account, and nothing leaves the
machine.
"""

import base64
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
PATIENCE = 60
LINE = {"level": "info", "message": "my first line"}


class Firehose(ThreadingHTTPServer):
    """Accepts every record of every call, and checks nothing: neither keys nor limits."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.records: queue.Queue[str] = queue.Queue()


class Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Firehose

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for record in call["Records"]:
            self.server.records.put(base64.b64decode(record["Data"]).decode())
        accepted = [{"RecordId": str(index)} for index in range(len(call["Records"]))]
        reply = {"FailedPutCount": 0, "RequestResponses": accepted}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    program = shutil.which("fluent-bit")
    if program is None:
        sys.exit("error: there is no fluent-bit on PATH: install it, see docs.fluentbit.io")
    firehose = Firehose()
    threading.Thread(target=firehose.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        port, variables = settings(Path(folder), firehose.server_port)
        log = Path(folder) / "log"
        with log.open("wb") as output:
            fluent_bit = subprocess.Popen(
                [program, "-c", PACKAGE / "etc" / "sidecar.conf"],
                env=os.environ | variables,
                stdout=output,
                stderr=output,
            )
        try:
            send(port, fluent_bit)
            print(f"delivered: {firehose.records.get(timeout=PATIENCE)}", end="")
        except (TimeoutError, queue.Empty):
            sys.exit(f"error: nothing was delivered; Fluent Bit's log:\n{log.read_text()}")
        finally:
            fluent_bit.send_signal(signal.SIGTERM)
            fluent_bit.wait(PATIENCE)


def settings(folder: Path, firehose: int) -> tuple[int, dict[str, str]]:
    """The port that takes lines, and the variables of etc/sidecar.conf."""
    forward, http, server = free_ports(3)
    plugins = folder / "plugin.conf"
    plugins.write_text(f"[PLUGINS]\n    Path {PACKAGE}/plugins/firehose.so\n")
    lines = (PACKAGE / "etc" / "defaults.env").read_text().splitlines()
    defaults = (line.split("=", 1) for line in lines if line and line[0] != "#")
    return http, {
        **dict(defaults),
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_ENDPOINT_URL_FIREHOSE": f"http://127.0.0.1:{firehose}",
        "FIREHOSE_DELIVERY_STREAM": "first-line",
        "HOSTNAME": socket.gethostname(),
        "SIDECAR_FLUSH": "1",
        "SIDECAR_FORWARD_PORT": str(forward),
        "SIDECAR_HTTP_INPUT_PORT": str(http),
        "SIDECAR_HTTP_PORT": str(server),
        "SIDECAR_PLUGINS_FILE": str(plugins),
        "SIDECAR_PARSERS_FILE": str(PACKAGE / "etc" / "parsers.conf"),
        "SIDECAR_STATE_DIR": str(folder),
    }


def send(port: int, fluent_bit: subprocess.Popen[bytes]) -> None:
    """Sends the line as soon as Fluent Bit listens."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/first-line",
        json.dumps(LINE).encode(),
        {"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + PATIENCE
    while fluent_bit.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(request, timeout=PATIENCE).close()
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise TimeoutError


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


if __name__ == "__main__":
    main()
