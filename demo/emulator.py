"""MiniStack, the AWS emulator, as a process on a free loopback port."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aws import CREDENTIALS, REGION
from loopback import ask
from processes import child, free_port

READY_SECONDS = 60


@contextmanager
def emulator(workdir: Path) -> Iterator[int]:
    """The port that MiniStack serves on until the end of the `with` block."""
    port = free_port()
    environment = {
        **CREDENTIALS,
        "GATEWAY_PORT": str(port),
        # The default is every interface.
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        # Athena's clock.
        "TZ": "UTC",
        "S3_DATA_DIR": str(workdir / "s3"),
        "STATE_DIR": str(workdir / "state"),
        # Listeners of their own that the demo has no use for.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # MiniStack removes containers that an earlier MiniStack left behind; those of
        # this machine's Docker are not the demo's to touch.
        "DOCKER_HOST": f"unix://{workdir / 'no-docker.sock'}",
    }
    command = [sys.executable, "-m", "ministack"]
    with child("ministack", command, environment, workdir) as process:
        ready = f"http://127.0.0.1:{port}/_ministack/ready"
        process.wait_until(lambda: ask(ready) is not None, READY_SECONDS, "being ready")
        yield port
