"""Fluent Bit with the project's configuration for log files, or the project's own host."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from aws import CREDENTIALS, REGION
from processes import Child, child, free_port

DIRECTORY = Path(__file__).resolve().parent.parent / "fluent-bit"
CONFIG = DIRECTORY / "tail.conf"
OUTPUT = DIRECTORY / "common.conf"
PARSERS = DIRECTORY / "parsers.conf"
DEFAULTS = DIRECTORY / "defaults.env"

VERSION_SECONDS = 30
# A plugin's own metrics.
METRICS_SINCE = (2, 0)

OTLP = """\
[SERVICE]
    flush 1

[INPUT]
    name   opentelemetry
    listen 127.0.0.1
    port   {port}

[OUTPUT]
{output}"""


@dataclass(frozen=True)
class FluentBit:
    """A Fluent Bit, and the first two numbers of its version."""

    path: str
    version: tuple[int, int]


@dataclass(frozen=True)
class Programs:
    """What was built, and the Fluent Bit on PATH, if any."""

    plugin: Path
    host: Path
    logs: Path
    fluent_bit: FluentBit | None


@dataclass(frozen=True)
class Destination:
    """A delivery stream, and the URL that stands for Firehose."""

    stream: str
    endpoint: str


@dataclass(frozen=True)
class Sidecar:
    """What delivers, and where its metrics are, if it has any."""

    process: Child
    metrics: str | None


def find_fluent_bit() -> FluentBit | None:
    """The fluent-bit on PATH, if any."""
    path = shutil.which("fluent-bit")
    if path is None:
        return None
    told = subprocess.run(
        [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS
    ).stdout
    version = re.search(r"v(\d+)\.(\d+)", told)
    if version is None:
        raise RuntimeError(f"{path} tells no version: {told}")
    return FluentBit(path, (int(version[1]), int(version[2])))


def run_tail(
    programs: Programs,
    log: Path,
    to: Destination,
    workdir: Path,
    options: Mapping[str, str],
) -> AbstractContextManager[Sidecar]:
    """Delivers the file `log` until it is stopped. `options` are added to the output's section."""
    environment = _environment(to, workdir)
    if programs.fluent_bit is None:
        return _run_host(programs, log, environment, workdir, options)
    return _run_fluent_bit(
        programs.fluent_bit, programs.plugin, log, environment, workdir, options
    )


@contextmanager
def _run_host(
    programs: Programs,
    log: Path,
    environment: Mapping[str, str],
    workdir: Path,
    options: Mapping[str, str],
) -> Iterator[Sidecar]:
    """The project's host, which ends itself.

    It has only an output, so what the input needs is given here.
    """
    arguments: list[str | Path] = [
        "--input",
        log,
        "--time-key",
        "timestamp",
        programs.plugin,
    ]
    section = _section(environment, options).items()
    pairs = [f"{key}={value}" for key, value in section]
    command: list[str | Path] = [programs.host, *arguments, *pairs]
    with child("firehose-host", command, environment, workdir) as process:
        yield Sidecar(process, None)


@contextmanager
def _run_fluent_bit(
    fluent_bit: FluentBit,
    plugin: Path,
    log: Path,
    environment: Mapping[str, str],
    workdir: Path,
    options: Mapping[str, str],
) -> Iterator[Sidecar]:
    port = free_port()
    plugins_file = workdir / "plugin.conf"
    plugins_file.write_text(f"[PLUGINS]\n    Path {plugin}\n")
    environment = {
        **environment,
        "APP_LOG_PATH": str(log),
        "SIDECAR_HTTP_LISTEN": "127.0.0.1",
        "SIDECAR_HTTP_PORT": str(port),
        "SIDECAR_PLUGINS_FILE": str(plugins_file),
        "SIDECAR_PARSERS_FILE": str(PARSERS),
    }
    config = CONFIG
    if options:
        # The output is the last section of the last file.
        config = workdir / "tail.conf"
        whole = CONFIG.read_text().replace("@INCLUDE common.conf", OUTPUT.read_text())
        config.write_text(whole + _lines(options))
    command: list[str | Path] = [fluent_bit.path, "-c", config]
    metrics = f"http://127.0.0.1:{port}/api/v2/metrics/prometheus"
    has_metrics = fluent_bit.version >= METRICS_SINCE
    with child("fluent-bit", command, environment, workdir) as process:
        yield Sidecar(process, metrics if has_metrics else None)


@contextmanager
def run_otlp(
    programs: Programs, to: Destination, workdir: Path, options: Mapping[str, str]
) -> Iterator[tuple[Child, str]]:
    """Fluent Bit that delivers what comes over OTLP, and the URL that takes log records."""
    assert programs.fluent_bit is not None
    port = free_port()
    environment = _environment(to, workdir)
    config = workdir / "otlp.conf"
    output = _lines(_section(environment, options))
    config.write_text(OTLP.format(port=port, output=output))
    command: list[str | Path] = [
        programs.fluent_bit.path,
        "-e",
        programs.plugin,
        "-c",
        config,
    ]
    with child("fluent-bit", command, environment, workdir) as process:
        yield process, f"http://127.0.0.1:{port}/v1/logs"


def _lines(options: Mapping[str, str]) -> str:
    return "".join(f"    {key} {value}\n" for key, value in options.items())


def _section(
    environment: Mapping[str, str], options: Mapping[str, str]
) -> dict[str, str]:
    """What the output's section says."""
    _, _, section = OUTPUT.read_text().partition("[OUTPUT]")
    lines = [line.strip() for line in section.splitlines()]
    pairs = [line.split(maxsplit=1) for line in lines if line and line[0] != "#"]
    filled = {key: Template(value).substitute(environment) for key, value in pairs}
    return {**filled, **options}


def _environment(to: Destination, workdir: Path) -> dict[str, str]:
    lines = DEFAULTS.read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    return {
        **dict(setting.split("=", 1) for setting in settings),
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_FIREHOSE": to.endpoint,
        "FIREHOSE_DELIVERY_STREAM": to.stream,
        "SIDECAR_STATE_DIR": str(workdir / "fluent-bit"),
        # AWS answers before it converts to Parquet, MiniStack only afterwards.
        "SIDECAR_FLUSH_TIMEOUT": "300s",
        "SIDECAR_REQUEST_TIMEOUT": "120s",
    }
