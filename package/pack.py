"""Packs the plugin for a host that has Fluent Bit already: a tar.gz to unpack in /fluent-bit."""

import argparse
import gzip
import hashlib
import importlib.metadata
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import licences
import sbom
import shared_object
from licences import Part

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--plugin", type=Path, required=True, help="the built plugin")
    options.add_argument(
        "--healthcheck", type=Path, required=True, help="the built program"
    )
    options.add_argument("--arch", required=True, help="x86_64 or aarch64")
    options.add_argument("--into", type=Path, required=True, help="the folder for it")
    options.add_argument("--glibc", required=True, help="the newest it may need")
    options.add_argument("--bytes", type=int, required=True, help="the most it may be")
    arguments = options.parse_args()

    target = f"{arguments.arch}-unknown-linux-gnu"
    crates = licences.linked_crates(ROOT / "Cargo.toml", target)
    parts = crates + zig()
    faults = licences.faults(parts)
    for fault in shared_object.faults(
        arguments.plugin, arguments.glibc, arguments.bytes
    ):
        faults.append(f"{arguments.plugin}: {fault}")
    if fault := shared_object.too_new(arguments.healthcheck, arguments.glibc):
        faults.append(f"{arguments.healthcheck}: {fault}")
    if faults:
        sys.exit("\n".join(f"error: {fault}" for fault in faults))

    name = f"fluent-bit-firehose-{version()}-linux-{arguments.arch}"
    packed = arguments.into / f"{name}.tar.gz"
    arguments.into.mkdir(exist_ok=True)
    packed.write_bytes(
        archive(
            name,
            contents(
                arguments.plugin, arguments.healthcheck, parts, standard_library()
            ),
            built_at(),
        )
    )
    bill = arguments.into / f"{name}.cdx.json"
    bill.write_text(sbom.of(version(), packed, crates, zig()))
    needed = shared_object.dotted(shared_object.needed_glibc(arguments.plugin))
    print(
        f"{packed}: {packed.stat().st_size} bytes; firehose.so has {arguments.plugin.stat().st_size} and needs glibc "
        f"{needed} or later; {len(parts)} licences"
    )


def contents(
    plugin: Path, healthcheck: Path, parts: list[Part], standard_library: Path
) -> dict[str, bytes]:
    """What is packed, by its path; the image has bin, etc and plugins too."""
    settings = [ROOT / "plugin.conf", ROOT / "fluent-bit" / "defaults.env"]
    for form in ("conf", "yaml"):
        settings += (ROOT / "fluent-bit").glob(f"*.{form}")
    files = {f"etc/{path.name}": path.read_bytes() for path in settings}
    files["plugins/firehose.so"] = plugin.read_bytes()
    first_line = ROOT / "package" / "try" / "first_line.py"
    files["try/first_line.py"] = first_line.read_bytes()
    files["bin/healthcheck"] = healthcheck.read_bytes()
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["LICENSES-THIRD-PARTY.txt"] = licences.notices(parts).encode()
    files["LICENSES-RUST.html"] = standard_library.read_bytes()
    sums = [
        f"{hashlib.sha256(data).hexdigest()}  {path}\n"
        for path, data in sorted(files.items())
    ]
    files["SHA256SUMS"] = "".join(sums).encode()
    return files


def archive(folder: str, files: dict[str, bytes], time: int) -> bytes:
    """A tar.gz of these in one folder. The same files and time make the same bytes."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for path, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(data)
            member.mtime = time
            member.mode = 0o755 if path.startswith(("bin/", "plugins/")) else 0o644
            writer.addfile(member, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), mtime=time)


def zig() -> list[Part]:
    """What Zig links besides the crates, with the texts of the installed package."""
    package = importlib.metadata.distribution("ziglang")
    folder = Path(str(package.locate_file("ziglang")))
    return [
        Part("Zig's compiler-rt", package.version, "MIT", (folder / "LICENSE",)),
        Part(
            "LLVM's libunwind, of Zig",
            package.version,
            "Apache-2.0 WITH LLVM-exception",
            (folder / "lib" / "libunwind" / "LICENSE.TXT",),
        ),
    ]


def standard_library() -> Path:
    """The licences of Rust's standard library, which come with the compiler."""
    page = (
        Path(output("rustc", "--print=sysroot"))
        / "share/doc/rust/COPYRIGHT-library.html"
    )
    if not page.is_file():
        sys.exit(f"error: {page} is missing: install Rust with rustup, which brings it")
    return page


def version() -> str:
    """The plugin's, as Cargo knows it."""
    manifest = ROOT / "Cargo.toml"
    return re.split("[#@]", output("cargo", "pkgid", f"--manifest-path={manifest}"))[-1]


def built_at() -> int:
    """The time that the files are given: SOURCE_DATE_EPOCH, or the last commit's."""
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(epoch)
    return int(output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
