import hashlib
import io
import re
import tarfile
import tempfile
import unittest
from pathlib import Path

from licences import Part
from pack import ROOT, archive, contents


class Pack(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            plugin = Path(folder) / "libfirehose.so"
            plugin.write_bytes(b"\x7fELF of the test")
            healthcheck = Path(folder) / "healthcheck"
            healthcheck.write_bytes(b"\x7fELF of the check")
            page = Path(folder) / "page.html"
            page.write_text("the standard library's")
            text = Path(folder) / "LICENSE"
            text.write_text("the text of some")
            part = Part("some", "1.2.3", "MIT", (text,))
            cls.files = contents(plugin, healthcheck, [part], page)

    def test_what_the_configurations_name_is_there(self) -> None:
        """Unpacked in /fluent-bit."""
        named = {
            path
            for name, data in self.files.items()
            if name.startswith("etc/")
            for path in re.findall(
                r"/fluent-bit/((?:etc|plugins)/[\w.-]+)", data.decode()
            )
        }
        self.assertLessEqual({"plugins/firehose.so", "etc/parsers.conf"}, named)
        self.assertEqual(named - self.files.keys(), set())

    def test_it_has_all_settings_and_nothing_of_the_image(self) -> None:
        etc = {Path(name).name for name in self.files if name.startswith("etc/")}
        settings = {path.name for path in (ROOT / "fluent-bit").iterdir()}
        image = {
            "Dockerfile",
            "context.sh",
            "requirements.txt",
            "kustomization.yml",
        }
        self.assertEqual(etc, settings - image | {"plugin.conf"})

    def test_the_licences_are_there(self) -> None:
        self.assertEqual(self.files["LICENSE"], (ROOT / "LICENSE").read_bytes())
        page = self.files["LICENSES-THIRD-PARTY.txt"].decode()
        self.assertIn("some 1.2.3: MIT", page)
        self.assertIn("the text of some", page)
        self.assertEqual(self.files["LICENSES-RUST.html"], b"the standard library's")

    def test_the_sums_are_of_all_other_files(self) -> None:
        sums = dict(
            reversed(line.split("  "))
            for line in self.files["SHA256SUMS"].decode().splitlines()
        )
        expected = {
            name: hashlib.sha256(data).hexdigest()
            for name, data in self.files.items()
            if name != "SHA256SUMS"
        }
        self.assertEqual(sums, expected)

    def test_the_same_files_and_time_make_the_same_bytes(self) -> None:
        first = archive("folder", self.files, 1_700_000_000)
        backwards = dict(reversed(self.files.items()))
        self.assertEqual(archive("folder", backwards, 1_700_000_000), first)
        self.assertNotEqual(archive("folder", self.files, 1_700_000_001), first)

    def test_the_archive_has_one_folder_of_roots(self) -> None:
        packed = archive("folder", self.files, 1_700_000_000)
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            members = tar.getmembers()
            unpacked = {}
            for member in members:
                unpacked[member.name] = tar.extractfile(member).read()
        self.assertEqual(
            unpacked, {f"folder/{name}": data for name, data in self.files.items()}
        )
        self.assertEqual([member.name for member in members], sorted(unpacked))
        for member in members:
            with self.subTest(member.name):
                self.assertEqual((member.uid, member.gid), (0, 0))
                self.assertEqual(member.mtime, 1_700_000_000)
                executable = member.name in (
                    "folder/bin/healthcheck",
                    "folder/plugins/firehose.so",
                )
                self.assertEqual(member.mode, 0o755 if executable else 0o644)
