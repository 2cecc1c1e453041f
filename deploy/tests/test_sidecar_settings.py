"""The variables and files of fluent-bit/ that the deployments name."""

import re
import unittest

from project import DEPLOY, FLUENT_BIT, default_names

# Not in defaults.env: only the deployment knows the one, and only the deployment needs the other.
OTHERS = {"FIREHOSE_DELIVERY_STREAM", "SIDECAR_IMAGE"}
FILES = [
    path
    for path in sorted(DEPLOY.rglob("*"))
    if path.suffix in (".yaml", ".yml", ".env") and path.name != "cloudformation.yaml"
]


class Settings(unittest.TestCase):
    def test_every_variable_is_one_that_the_configuration_reads(self) -> None:
        known = default_names() | OTHERS
        seen = set()
        for path in FILES:
            text = path.read_text()
            for name in re.findall(
                r"\b(?:SIDECAR_[A-Z_]+|[A-Z_]+_LOG_PATH|FIREHOSE_[A-Z_]+)\b", text
            ):
                seen.add(name)
                with self.subTest(file=path.name, variable=name):
                    self.assertIn(name, known)
        self.assertLess({"SIDECAR_SERVICE", "SIDECAR_ENVIRONMENT"}, seen)

    def test_every_configuration_file_is_there(self) -> None:
        seen = 0
        for path in FILES:
            for name in re.findall(
                r"/fluent-bit/(?:etc|config)/([\w.]+)", path.read_text()
            ):
                seen += 1
                with self.subTest(file=path.name, configuration=name):
                    self.assertTrue((FLUENT_BIT / name).is_file())
        self.assertGreater(seen, 5)
