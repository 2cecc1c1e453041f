"""Builds the image by buildah on a stand-in of each base, and runs it as its own user with a read-only root: a line arrives
at the fake Firehose, the health check passes, and SIGTERM ends it."""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import base as bases

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60
LINE = "a line of the test"
LABELS = {
    "source": "https://git.example/fluent-bit-firehose",
    "revision": "0123456789abcdef0123456789abcdef01234567",
    "licenses": "Apache-2.0",
}
# The fake service's own, from AWS's documentation; they open nothing.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
# As a container runtime does it: the image's files read-only, its volume writable, the user of the image.
CONTAINER = """
mount --bind "$1" "$1"
mount --bind "$2" "$1/var/lib/fluent-bit"
mount -o remount,bind,ro "$1"
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
user=$3 root=$1
shift 3
exec chroot --userspec="$user" --groups= "$root" "$@"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=Path, required=True)
    parser.add_argument("--fake-firehose", type=Path, required=True)
    parser.add_argument("--version", required=True)
    arguments = parser.parse_args()
    if not shutil.which("buildah"):
        sys.exit("error: buildah is needed: apt-get install buildah")
    found = shutil.which("fluent-bit")
    if not found:
        print("SKIPPED: make image-test: there is no fluent-bit on PATH for the bases")
        return
    for base in bases.BASES:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            storage = Storage(Path(folder))
            try:
                storage.make_base(base, Path(found))
                root, config = storage.build(arguments.context, arguments.version)
                check_files(root)
                check_config(config, arguments.version)
                deliver(root, config, Path(folder), arguments.fake_firehose.resolve())
            finally:
                storage.remove()
        print(f"image on {base}: built, delivered a line, was healthy, stopped")


class Storage:
    """Images and containers of buildah below a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def buildah(self, command: str, *arguments: str | Path) -> str:
        folders = ["--root", self._folder / "root", "--runroot", self._folder / "run"]
        done = subprocess.run(
            ["buildah", *folders, "--storage-driver", "vfs", command, *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * PATIENCE,
        )
        check(done.returncode == 0, f"buildah {command}: {done.stdout}")
        return done.stdout.strip()

    def make_base(self, base: str, fluent_bit: Path) -> None:
        container = self.buildah("from", "scratch")
        bases.lay_out(base, fluent_bit, Path(self.buildah("mount", container)))
        self.buildah("config", *bases.settings(base), container)
        self.buildah("commit", "--quiet", container, "localhost/base")

    def build(self, context: Path, version: str) -> tuple[Path, dict[str, Any]]:
        """The image's root and its configuration."""
        given = {
            "BASE": "localhost/base",
            "SOURCE": LABELS["source"],
            "VERSION": version,
            "REVISION": LABELS["revision"],
        }
        self.buildah(
            "build",
            "--isolation=chroot",
            # The other format has no health check.
            "--format=docker",
            "--pull-never",
            f"--file={ROOT / 'fluent-bit/Dockerfile'}",
            *(f"--build-arg={name}={value}" for name, value in given.items()),
            "--tag=localhost/image",
            context,
        )
        told = json.loads(self.buildah("inspect", "--type=image", "localhost/image"))
        container = self.buildah("from", "--pull-never", "localhost/image")
        # The way to buildah's own folder is closed to the image's user.
        root = self._folder / "image"
        mounted = self.buildah("mount", container)
        subprocess.run(["cp", "--archive", mounted, root], check=True)
        return root, told["Docker"]["config"]

    def remove(self) -> None:
        self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")


def check(condition: object, sentence: str) -> None:
    if not condition:
        sys.exit(f"error: {sentence}")


def check_files(root: Path) -> None:
    """What is in the image besides what runs."""
    licences = sorted(
        path.name for path in (root / "usr/share/licenses/fluent-bit-firehose").iterdir()
    )
    expected = ["LICENSE", "LICENSES-RUST.html", "LICENSES-THIRD-PARTY.txt"]
    check(licences == expected, f"its licence texts are {licences}, not {expected}")
    kept = root / "fluent-bit/parsers/parsers.conf"
    check(kept.is_file(), "the base's own parsers are gone")
    check(kept.read_text() == bases.PARSERS, "the base's own parsers were changed")
    ours = (ROOT / "fluent-bit/parsers.conf").read_text()
    placed = (root / "fluent-bit/etc/parsers.conf").read_text()
    check(placed == ours, "its etc/parsers.conf is not the project's")


def check_config(config: dict[str, Any], version: str) -> None:
    for name, value in {**LABELS, "version": version}.items():
        told = config["Labels"].get(f"org.opencontainers.image.{name}")
        check(told == value, f"its label {name} is {told}, not {value}")
    check(config["User"] == "65532:65532", f"its user is {config['User']}")


def deliver(
    root: Path, config: dict[str, Any], folder: Path, fake_firehose: Path
) -> None:
    """Runs the image beside the fake service, which prints its address first."""
    fake = subprocess.Popen(
        [fake_firehose, "--until-stdin-closes", "--stream", "logs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert fake.stdout is not None
        url = json.loads(fake.stdout.readline())["url"]
        run_image(root, config, folder, url)
    finally:
        fake.terminate()
        fake.wait(PATIENCE)


def run_image(root: Path, config: dict[str, Any], folder: Path, url: str) -> None:
    forward, http, server = (str(port) for port in free_ports(3))
    variables = {
        **dict(variable.split("=", 1) for variable in config["Env"]),
        **CREDENTIALS,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_FIREHOSE": url,
        "FIREHOSE_DELIVERY_STREAM": "logs",
        "HOSTNAME": "image-test",
        "SIDECAR_FLUSH": "1",
        "SIDECAR_FORWARD_PORT": forward,
        "SIDECAR_HTTP_INPUT_PORT": http,
        "SIDECAR_HTTP_PORT": server,
    }
    # A volume begins as the image's folder is, with its owner.
    state = folder / "state"
    subprocess.run(["cp", "--archive", root / "var/lib/fluent-bit", state], check=True)
    container = [
        "unshare", "--mount", "--propagation=private",
        "sh", "-euc", CONTAINER, "sh", root, state, config["User"],
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], **variables}
    health = [*container, *config["Healthcheck"]["Test"][1:]]

    def healthy() -> bool:
        asked = subprocess.run(
            health, check=False, env=environment, capture_output=True, timeout=PATIENCE
        )
        return asked.returncode == 0

    check(not healthy(), "the health check passes without a Fluent Bit")
    log = folder / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*container, *config["Entrypoint"], *config["Cmd"]],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def wait_until(is_true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_true():
            late = time.monotonic() > deadline or running.poll() is not None
            check(not late, f"no {what}: {log.read_text()}")
            time.sleep(0.1)

    try:
        wait_until(healthy, "passed health check")
        ask(f"http://127.0.0.1:{http}/line", json.dumps({"message": LINE}).encode())
        documents = f"{url}/_fake/documents"
        wait_until(lambda: LINE in ask(documents), "delivered line")
        check('"service":"unknown"' in ask(documents), "its own parts were not read")
        running.send_signal(signal.SIGTERM)
        ended = running.wait(PATIENCE)
        check(ended == 0, f"it ended with {ended}: {log.read_text()}")
        check(any(state.iterdir()), "it kept nothing in its volume")
    finally:
        running.kill()
        running.wait(PATIENCE)


def ask(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


if __name__ == "__main__":
    main()
