import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from pack import ROOT

PLUGIN = ROOT / "dist" / "firehose.so"


class FirstLine(unittest.TestCase):
    @unittest.skipUnless(shutil.which("fluent-bit"), "no fluent-bit on PATH")
    @unittest.skipUnless(PLUGIN.exists(), "make build was not run")
    def test_a_newcomer_s_first_line_is_delivered(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder)
            for name, source in (
                ("etc", ROOT / "fluent-bit"),
                ("try", ROOT / "package" / "try"),
            ):
                shutil.copytree(source, package / name)
            (package / "plugins").mkdir()
            shutil.copy(PLUGIN, package / "plugins")
            done = subprocess.run(
                [sys.executable, "-B", package / "try" / "first_line.py"],
                env={"PATH": os.environ["PATH"]},
                check=False,
                capture_output=True,
                text=True,
                timeout=180,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"message":"my first line"', done.stdout)
