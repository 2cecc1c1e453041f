import json
import tempfile
import unittest
from pathlib import Path

import sbom
from licences import Part
from notes import CHANGELOG, notes
from pack import version


class Release(unittest.TestCase):
    def test_the_changelog_tells_of_this_version(self) -> None:
        self.assertIn("- ", notes(CHANGELOG.read_text(), version()))

    def test_notes_are_one_section(self) -> None:
        changelog = "# Changelog\n\n## 2.0.0\n\nNew.\n\n## 1.0.0\n\nOld.\n"
        for number, section in (("2.0.0", "New."), ("1.0.0", "Old."), ("0", "")):
            self.assertEqual(notes(changelog, number), section)

    def test_the_bill_of_materials_has_every_part(self) -> None:
        crate = Part("some", "1.2.3", "MIT/Apache-2.0", ())
        other = Part("no crate", "4", "MIT", ())
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "package.tar.gz"
            package.write_bytes(b"packed")
            bill = json.loads(sbom.of("9.8.7", package, [crate], [other]))
        self.assertEqual(bill["metadata"]["component"]["version"], "9.8.7")
        found = {
            part["bom-ref"]: part["licenses"][0]["expression"]
            for part in bill["components"]
        }
        expected = {"pkg:cargo/some@1.2.3": "MIT OR Apache-2.0", "no crate 4": "MIT"}
        self.assertEqual(found, expected)
        self.assertEqual(bill["dependencies"][0]["dependsOn"], list(expected))
