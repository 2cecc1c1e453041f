"""The licences of what is linked into the plugin: allowed ones only, each with its text."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# SPDX names of what may be shipped within a work under Apache-2.0 without conditions on the rest of it.
ALLOWED = {
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

# Below a crate's first folder are the licences of what it took over; a COPYING there is the GPL that zstd offers as
# the other choice.
TEXTS = (
    "LICEN[CS]E*",
    "UNLICENSE*",
    "COPYING*",
    "COPYRIGHT*",
    "NOTICE*",
    "*/**/LICEN[CS]E*",
)

# Crates that were published without the text of their repository, here as it is there.
KEPT = Path(__file__).parent / "texts"
PUBLISHED_WITHOUT = {
    # https://github.com/Nugine/simd, LICENSE of d74c030d9dc4f3cae02146d1f497ff62726ef09a
    "base64-simd": KEPT / "nugine-simd.txt",
    "vsimd": KEPT / "nugine-simd.txt",
}


@dataclass(frozen=True)
class Part:
    """A crate, or something else that is linked in."""

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...]


def linked_crates(manifest: Path, target: str) -> list[Part]:
    """The crates that `target`'s plugin is made of. Macros and build scripts run in the compiler only."""
    metadata = json.loads(
        cargo(manifest, "metadata", "--format-version=1", f"--filter-platform={target}")
    )
    # The metadata's own graph has the crates and features that only tests need.
    tree = cargo(
        manifest,
        "tree",
        "--edges=normal,no-proc-macro",
        f"--target={target}",
        "--prefix=none",
        "--format={p}",
    )
    linked = {tuple(line.split()[:2]) for line in tree.splitlines()}
    return [
        crate(package)
        for package in metadata["packages"]
        if package["source"] and (package["name"], f"v{package['version']}") in linked
    ]


def crate(package: dict[str, Any]) -> Part:
    """What a package of `cargo metadata` says of itself, with the texts that were published with it."""
    folder = Path(package["manifest_path"]).parent
    texts = {path for text in TEXTS for path in folder.glob(text) if path.is_file()}
    if not texts and package["name"] in PUBLISHED_WITHOUT:
        texts = {PUBLISHED_WITHOUT[package["name"]]}
    return Part(
        package["name"],
        package["version"],
        package["license"] or "",
        tuple(sorted(texts)),
    )


def cargo(manifest: Path, command: str, *flags: str) -> str:
    """What a command of Cargo prints of the package."""
    return subprocess.run(
        ["cargo", command, "--locked", f"--manifest-path={manifest}", *flags],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def faults(parts: Iterable[Part]) -> list[str]:
    """Why these may not be shipped, a sentence each."""
    sentences = []
    for part in parts:
        name = f"{part.name} {part.version}"
        if not allowed(part.licence):
            sentences.append(
                f"{name}: its licence, {part.licence or 'not named'}, is not on the list in package/licences.py: do "
                "without the crate, or add the licence if it goes with Apache-2.0"
            )
        if not part.texts:
            sentences.append(
                f"{name}: it comes without a licence text: keep its repository's in package/texts and name it in "
                "package/licences.py"
            )
    return sentences


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone. Cargo's older form has / for OR."""
    end = ";"
    tokens = re.findall(r"[()/]|\b(?:AND|OR)\b|[\w.+-]+(?: WITH [\w.+-]+)?", expression)
    tokens.append(end)

    def either() -> bool:
        met = both()
        while tokens[:1] in (["OR"], ["/"]):
            del tokens[0]
            # The right side first: it has to be read in any case.
            met = both() or met
        return met

    def both() -> bool:
        met = one()
        while tokens[:1] == ["AND"]:
            del tokens[0]
            met = one() and met
        return met

    def one() -> bool:
        if tokens[:1] != ["("]:
            met = tokens[:1] != [] and tokens[0] in ALLOWED
            del tokens[:1]
            return met
        del tokens[0]
        met = either()
        closed = tokens[:1] == [")"]
        del tokens[:1]
        return met and closed

    return either() and tokens == [end]


def notices(parts: Iterable[Part]) -> str:
    """A page with all parts and all texts; a text that several share is there once."""
    parts = sorted(parts, key=lambda part: (part.name, part.version))
    owners: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        for text in part.texts:
            words = text.read_text(encoding="utf-8", errors="replace").strip()
            owner = f"{part.name} {part.version}"
            if owner not in owners[words]:
                owners[words].append(owner)
    lines = ["firehose.so contains:", ""]
    lines += [f"{part.name} {part.version}: {part.licence}" for part in parts]
    for words, names in owners.items():
        lines += ["", "=" * 80, ", ".join(names), "-" * 80, "", words]
    return "\n".join(lines) + "\n"
