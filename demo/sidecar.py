"""Fluent Bit with the project's configuration for log files, or the project's own host."""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from string import Template

from aws import CREDENTIALS, REGION
from processes import Child, child, free_port

DIRECTORY = Path(__file__).resolve().parent.parent / "fluent-bit"
CONFIG = DIRECTORY / "tail.conf"
OUTPUT = DIRECTORY / "common.conf"
PARSERS = DIRECTORY / "parsers.conf"
DEFAULTS = DIRECTORY / "defaults.env"


def find_fluent_bit() -> str | None:
    """The fluent-bit on PATH, if any."""
    return shutil.which("fluent-bit")


def run_fluent_bit(
    fluent_bit: str, plugin: Path, log: Path, stream: str, endpoint: str, workdir: Path
) -> AbstractContextManager[Child]:
    """Fluent Bit, delivering the file `log` to `stream` until it is stopped."""
    plugins_file = workdir / "plugin.conf"
    plugins_file.write_text(f"[PLUGINS]\n    Path {plugin}\n")
    environment = {
        **_environment(stream, endpoint),
        "APP_LOG_PATH": str(log),
        "SIDECAR_HTTP_LISTEN": "127.0.0.1",
        "SIDECAR_HTTP_PORT": str(free_port()),
        "SIDECAR_STATE_DIR": str(workdir / "fluent-bit"),
        "SIDECAR_PLUGINS_FILE": str(plugins_file),
        "SIDECAR_PARSERS_FILE": str(PARSERS),
    }
    return child("fluent-bit", [fluent_bit, "-c", CONFIG], environment, workdir)


def run_host(
    host: Path, plugin: Path, log: Path, stream: str, endpoint: str, workdir: Path
) -> AbstractContextManager[Child]:
    """The project's host, delivering the file `log` to `stream`, then ending itself.

    It has only an output, so what the input needs is given here.
    """
    environment = _environment(stream, endpoint)
    options: list[str | Path] = ["--input", log, "--time-key", "timestamp"]
    command = [host, *options, plugin, *_section(environment)]
    return child("firehose-host", command, environment, workdir)


def _section(environment: dict[str, str]) -> list[str]:
    """What the output's section says, each as KEY=VALUE."""
    _, _, section = OUTPUT.read_text().partition("[OUTPUT]")
    lines = [line.strip() for line in section.splitlines()]
    pairs = [line.split(maxsplit=1) for line in lines if line and line[0] != "#"]
    return [f"{key}={Template(value).substitute(environment)}" for key, value in pairs]


def _environment(stream: str, endpoint: str) -> dict[str, str]:
    lines = DEFAULTS.read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    return {
        **dict(setting.split("=", 1) for setting in settings),
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_FIREHOSE": endpoint,
        "FIREHOSE_DELIVERY_STREAM": stream,
        # AWS answers before it converts to Parquet, MiniStack only afterwards.
        "SIDECAR_FLUSH_TIMEOUT": "300s",
        "SIDECAR_REQUEST_TIMEOUT": "120s",
    }
