"""What a built plugin needs of the machine that loads it, and offers to Fluent Bit, as binutils' readelf reads it."""

import os
import re
import subprocess
from pathlib import Path

EXPORTS = {
    "FLBPluginRegister",
    "FLBPluginInit",
    "FLBPluginFlushCtx",
    "FLBPluginExitCtx",
}


def faults(plugin: Path, newest_glibc: str, most_bytes: int) -> list[str]:
    """Why the plugin may not be shipped, a sentence each."""
    sentences = []
    if fault := too_new(plugin, newest_glibc):
        sentences.append(fault)
    if missing := EXPORTS - exports(plugin):
        sentences.append(
            f"it lacks the exports {', '.join(sorted(missing))}: Fluent Bit would not load it"
        )
    if not stays_loaded(plugin):
        sentences.append(
            "it was linked without -z nodelete: a hot reload of Fluent Bit could crash"
        )
    size = plugin.stat().st_size
    if size > most_bytes:
        sentences.append(f"it has {size} bytes, more than {most_bytes}")
    return sentences


def too_new(file: Path, newest_glibc: str) -> str | None:
    """Why an ELF file does not start with this glibc, if it does not."""
    needed = needed_glibc(file)
    if needed <= numbers(newest_glibc):
        return None
    return f"it needs glibc {dotted(needed)}, newer than {newest_glibc}: build it with `make package`"


def needed_glibc(file: Path) -> tuple[int, ...]:
    """The oldest glibc that has all that an ELF file needs; () if it needs none."""
    # Only a version that is needed has its flags behind its name; one that the file defines has them in front.
    names = re.findall(
        r"\bName: GLIBC_([\d.]+) +Flags:", readelf(file, "--version-info", "--wide")
    )
    return max(map(numbers, names), default=())


def exports(file: Path) -> set[str]:
    """The names of the functions that an ELF file defines for others."""
    symbols = (
        line.split() for line in readelf(file, "--dyn-syms", "--wide").splitlines()
    )
    return {
        symbol[7].partition("@")[0]
        for symbol in symbols
        if symbol[3:5] == ["FUNC", "GLOBAL"] and symbol[6] != "UND"
    }


def stays_loaded(file: Path) -> bool:
    """Whether dlclose leaves an ELF file in memory."""
    return bool(
        re.search(r"\(FLAGS_1\).*\bNODELETE\b", readelf(file, "--dynamic", "--wide"))
    )


def numbers(version: str) -> tuple[int, ...]:
    """A version as it compares."""
    return tuple(map(int, version.split(".")))


def dotted(version: tuple[int, ...]) -> str:
    """A version as it is written."""
    return ".".join(map(str, version))


def readelf(file: Path, *flags: str) -> str:
    """What readelf prints in English."""
    return subprocess.run(
        ["readelf", *flags, file],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LC_ALL": "C"},
    ).stdout
