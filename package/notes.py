"""Prints what CHANGELOG.md says of a version: the notes of its release."""

import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def notes(changelog: str, version: str) -> str:
    """The section of a version; empty if it has none."""
    _, _, rest = changelog.partition(f"\n## {version}\n")
    section, _, _ = rest.partition("\n## ")
    return section.strip()


if __name__ == "__main__":
    found = notes(CHANGELOG.read_text(), sys.argv[1])
    if not found:
        sys.exit(f"error: CHANGELOG.md has no section {sys.argv[1]}")
    print(found)
