"""What a package is made of, as a bill of materials in CycloneDX."""

import hashlib
import json
from pathlib import Path
from typing import Any

from licences import Part


def of(version: str, package: Path, crates: list[Part], others: list[Part]) -> str:
    """The bill of a package. The same package and parts make the same text, so it has no time and no number of its own."""
    components = [crate(part) for part in crates] + [component(part) for part in others]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": package.name,
                "name": "fluent-bit-firehose",
                "version": version,
                "hashes": [
                    {
                        "alg": "SHA-256",
                        "content": hashlib.sha256(package.read_bytes()).hexdigest(),
                    }
                ],
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": components,
        "dependencies": [
            {
                "ref": package.name,
                "dependsOn": [component["bom-ref"] for component in components],
            }
        ],
    }
    return json.dumps(bill, indent=2) + "\n"


def crate(part: Part) -> dict[str, Any]:
    """A crate is known by its package URL."""
    url = f"pkg:cargo/{part.name}@{part.version}"
    return {**component(part), "bom-ref": url, "purl": url}


def component(part: Part) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": f"{part.name} {part.version}",
        "name": part.name,
        "version": part.version,
        # Cargo's older form has / for OR.
        "licenses": [{"expression": " OR ".join(part.licence.split("/"))}],
    }
