"""The variables and files of fluent-bit/ that the deployments name."""

import re
import unittest
from fnmatch import fnmatch

from project import DEPLOY, FLUENT_BIT, default_names, defaults

# Not in defaults.env: only the deployment knows the first, and only the deployment needs the others.
OTHERS = {"FIREHOSE_DELIVERY_STREAM", "SIDECAR_IMAGE", "SIDECAR_CONFIGURATION"}
# The chart aws-for-fluent-bit makes it.
OF_CHARTS = {"parser_extra.conf"}
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

    def test_nothing_listens_beyond_loopback_or_reloads_until_a_variable_says_so(
        self,
    ) -> None:
        for path in [*FLUENT_BIT.glob("*.conf"), *FLUENT_BIT.glob("*.yaml")]:
            for key, value in re.findall(
                r"^[ -]*((?:http_)?listen|hot_reload):? (.*)$",
                path.read_text(),
                re.MULTILINE,
            ):
                with self.subTest(file=path.name, key=key):
                    (name,) = re.findall(r"^\$\{(SIDECAR_[A-Z_]+)\}$", value)
                    harmless = "off" if key == "hot_reload" else "127.0.0.1"
                    self.assertEqual(defaults()[name], harmless)

    def test_of_a_node_only_the_container_fluent_bit_is_left_out(self) -> None:
        pattern = defaults()["KUBERNETES_EXCLUDE_PATH"]
        for name, is_left_out in (
            ("fluent-bit-x7k2p_logging_fluent-bit", True),
            ("web-7d9f_fluent-bit-shop_web", False),
            ("fluent-bit-x7k2p_logging_reloader", False),
            ("web-7d9f_shop_aws-for-fluent-bit", False),
        ):
            with self.subTest(name):
                path = f"/var/log/containers/{name}-{'0123456789abcdef' * 4}.log"
                self.assertEqual(fnmatch(path, pattern), is_left_out)

    def test_every_configuration_file_is_there(self) -> None:
        seen = 0
        for path in FILES:
            for name in re.findall(
                r"/fluent-bit/(?:etc|config)/(\w+\.(?:conf|yaml))\b", path.read_text()
            ):
                seen += 1
                with self.subTest(file=path.name, configuration=name):
                    self.assertTrue(name in OF_CHARTS or (FLUENT_BIT / name).is_file())
        self.assertGreater(seen, 5)
