"""Stand-ins for the images that ours is put on, where no registry can be reached: their layout, with the fluent-bit of this
machine, the libraries it needs, and all of Debian's C library."""

import re
import shutil
import subprocess
from pathlib import Path

# The official image has only Fluent Bit's folder. AWS's has an older plugin of the same name too, and starts by a script.
BASES = ("fluent-bit", "aws-for-fluent-bit")
# A parser of the base's, by which it is known again.
PARSERS = "[PARSER]\n    name of_the_base\n    format json\n"


def lay_out(base: str, fluent_bit: Path, root: Path) -> None:
    """Puts the files of a base below `root`."""
    for folder in ("dev", "proc", "tmp", "var/lib", "fluent-bit/bin", "fluent-bit/etc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(fluent_bit, root / "fluent-bit/bin/fluent-bit")
    for library in {*libraries(fluent_bit), *c_library()}:
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    (root / "fluent-bit/etc/parsers.conf").write_text(PARSERS)
    (root / "fluent-bit/etc/fluent-bit.conf").write_text("[SERVICE]\n")
    if base == "aws-for-fluent-bit":
        (root / "fluent-bit/firehose.so").write_text("not to be loaded")
        (root / "fluent-bit/parsers").mkdir()
        (root / "fluent-bit/parsers/parsers.conf").write_text(PARSERS)
        (root / "entrypoint.sh").write_text("not to be run")


def settings(base: str) -> list[str]:
    """What `buildah config` is told of a base."""
    if base == "aws-for-fluent-bit":
        return ["--cmd", "/entrypoint.sh"]
    return [
        '--entrypoint=["/fluent-bit/bin/fluent-bit"]',
        "--cmd=/fluent-bit/bin/fluent-bit -c /fluent-bit/etc/fluent-bit.conf",
    ]


def libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, and what loads them."""
    printed = subprocess.run(
        ["ldd", program], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return [Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+)", printed, re.M)]


def c_library() -> list[Path]:
    """What the C library's package has of libraries: a real base has all of them, whatever its fluent-bit needs."""
    listed = subprocess.run(
        ["dpkg-query", "--listfiles", "libc6"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    paths = (Path(line) for line in listed.splitlines() if ".so" in line)
    return [path for path in paths if path.is_file()]
