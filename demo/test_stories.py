"""The stories of the demo, told with the emulator: by the project's own host, and by Fluent Bit if there is any."""

import io
import os
import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timezone
from pathlib import Path

import drift
import otlp
from aws import Aws
from emulator import emulator
from sidecar import FluentBit, Programs, find_fluent_bit
from steps import Scene

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "deploy" / "cloudformation.yaml"
# As in the Makefile.
BUILT = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "debug"
FLUENT_BIT = find_fluent_bit()
SECONDS = 60


@contextmanager
def scene(fluent_bit: FluentBit | None) -> Iterator[Scene]:
    """The stack, as far as the emulator knows it."""
    programs = Programs(
        plugin=ROOT / "dist" / "firehose.so",
        host=BUILT / "firehose-host",
        logs=BUILT / "firehose-logs",
        fluent_bit=fluent_bit,
    )
    now = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        with emulator(workdir) as port:
            aws = Aws(port)
            stack = aws.deploy(TEMPLATE, {"SavedQueries": "false"}, SECONDS)
            since = now.strftime("%Y-%m-%d")
            yield Scene(programs, aws, stack, port, now, since, workdir)


class Stories(unittest.TestCase):
    def tell(self, story: Callable[[Scene], bool], told: Scene) -> str:
        """What the story prints; its answers must be right."""
        with redirect_stdout(io.StringIO()) as printed:
            right = story(told)
        self.assertTrue(right, printed.getvalue())
        return printed.getvalue()

    def test_a_new_field_is_told_added_and_found(self) -> None:
        with scene(None) as told:
            self.tell(drift.tell, told)
            columns = told.aws.table(told.stack)["Table"]["StorageDescriptor"]
            self.assertEqual(columns["Columns"][-1], drift.COLUMN)
            self.assertIn("no fluent-bit of 3.2 or later", self.tell(otlp.tell, told))

    def test_a_field_with_a_column_makes_no_story(self) -> None:
        with scene(None) as told:
            told.aws.add_columns(told.stack, [drift.COLUMN])
            with self.assertRaisesRegex(RuntimeError, "told of cartTotal 0 times"):
                self.tell(drift.tell, told)

    @unittest.skipUnless(
        FLUENT_BIT and FLUENT_BIT.version >= otlp.SINCE,
        "no fluent-bit of 3.2 or later is on PATH",
    )
    def test_fluent_bit_tells_both_stories(self) -> None:
        with scene(FLUENT_BIT) as told:
            self.assertIn(f"{drift.FINDINGS} is 1", self.tell(drift.tell, told))
            self.tell(otlp.tell, told)
