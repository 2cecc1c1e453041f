import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from project import DAEMONSET, DEPLOY, KUBECTL, KUSTOMIZATIONS, ROOT, SIDECAR

# The first that knows sidecar containers, and the newest that the validator knows.
VERSIONS = ("1.29", kubernetes_validate.latest_version())
CHARTS = DEPLOY / "kubernetes" / "charts"
MANIFESTS = [
    path
    for path in sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
    if path.name not in ("kustomization.yaml", "role.yaml") and path.parent != CHARTS
]

FLUENT_BIT = shutil.which("fluent-bit")
PLUGIN = ROOT / "dist" / "firehose.so"


def validate(manifest: dict[str, Any]) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def render(directory: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would apply."""
    assert KUBECTL is not None
    built = subprocess.run(
        [KUBECTL, "kustomize", directory],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return list(yaml.safe_load_all(built.stdout))


def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The pod's specification of the one manifest that starts pods."""
    (spec,) = [
        manifest["spec"]["template"]["spec"]
        for manifest in manifests
        if manifest["kind"] in ("Deployment", "DaemonSet")
    ]
    assert isinstance(spec, dict)
    return spec


def fluent_bit(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The container fluent-bit."""
    spec = pod(manifests)
    containers = spec["containers"] + spec.get("initContainers", [])
    (container,) = [one for one in containers if one["name"] == "fluent-bit"]
    assert isinstance(container, dict)
    return container


class Manifests(unittest.TestCase):
    def test_every_manifest_fits_its_schema(self) -> None:
        self.assertEqual(len(MANIFESTS), 7)
        for path in MANIFESTS:
            with self.subTest(path.name):
                validate(yaml.safe_load(path.read_text()))

    def test_the_schema_refuses_a_field_that_there_is_not(self) -> None:
        manifest = yaml.safe_load(MANIFESTS[0].read_text())
        manifest["metadata"]["nmae"] = "x"
        with self.assertRaises(kubernetes_validate.ValidationError):
            validate(manifest)


@unittest.skipIf(KUBECTL is None, "kubectl is not on PATH: nothing is rendered")
class Rendered(unittest.TestCase):
    def test_what_is_applied_fits_its_schema_and_has_all_its_settings(self) -> None:
        for directory in KUSTOMIZATIONS:
            manifests = render(directory)
            text = yaml.safe_dump_all(manifests)
            with self.subTest(directory.name):
                for manifest in manifests:
                    validate(manifest)
                self.assertNotIn("set from settings.env", text)
                maps = {
                    manifest["metadata"]["name"]
                    for manifest in manifests
                    if manifest["kind"] == "ConfigMap"
                }
                for name in maps:
                    # As its own name, and where a pod refers to it.
                    self.assertGreaterEqual(text.count(name), 2, name)

    def test_fluent_bit_has_no_more_rights_than_it_needs(self) -> None:
        for directory in KUSTOMIZATIONS:
            manifests = render(directory)
            container = fluent_bit(manifests)
            with self.subTest(directory.name):
                self.assertEqual(
                    container["securityContext"],
                    {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                )
                self.assertIn("memory", container["resources"]["limits"])
                writable = [
                    mount["mountPath"]
                    for mount in container["volumeMounts"]
                    if not mount.get("readOnly")
                ]
                self.assertEqual(writable, ["/var/lib/fluent-bit"])
                for probe in ("readinessProbe", "livenessProbe"):
                    self.assertEqual(container[probe]["httpGet"]["port"], "http")
                # A restart does not end an outage of Firehose.
                self.assertEqual(
                    container["livenessProbe"]["httpGet"]["path"], "/api/v1/uptime"
                )
            if directory.name == "sidecar":
                context = pod(manifests)["securityContext"]
                self.assertTrue(context["runAsNonRoot"])

    def test_the_daemonset_runs_where_it_can_and_the_sidecar_as_the_application(
        self,
    ) -> None:
        daemonset, sidecar = pod(render(DAEMONSET)), pod(render(SIDECAR))
        self.assertEqual(daemonset["nodeSelector"], {"kubernetes.io/os": "linux"})
        affinity = daemonset["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"
        ]
        self.assertEqual(
            term["matchExpressions"],
            [
                {
                    "key": "eks.amazonaws.com/compute-type",
                    "operator": "NotIn",
                    "values": ["fargate"],
                }
            ],
        )
        self.assertEqual(sidecar["serviceAccountName"], "app")

    def test_the_metrics_are_announced_and_closed_to_other_pods(self) -> None:
        for directory in KUSTOMIZATIONS:
            manifests = render(directory)
            with self.subTest(directory.name):
                (template,) = [
                    manifest["spec"]["template"]
                    for manifest in manifests
                    if manifest["kind"] in ("Deployment", "DaemonSet")
                ]
                annotations = template["metadata"]["annotations"]
                port = int(annotations["prometheus.io/port"])
                self.assertEqual(
                    fluent_bit(manifests)["ports"],
                    [{"name": "http", "containerPort": port}],
                )
                (policy,) = [
                    manifest["spec"]
                    for manifest in manifests
                    if manifest["kind"] == "NetworkPolicy"
                ]
                # It is about these pods, and whoever is let in to that port is named.
                labels = template["metadata"]["labels"]
                self.assertEqual(policy["podSelector"]["matchLabels"], labels)
                callers = [
                    rule.get("from")
                    for rule in policy["ingress"]
                    for ports in rule["ports"]
                    if ports["port"] <= port <= ports.get("endPort", ports["port"])
                    and ports["protocol"] == "TCP"
                ]
                self.assertEqual(len(callers), 1)
                self.assertIsNotNone(callers[0])

    @unittest.skipIf(FLUENT_BIT is None, "fluent-bit is not on PATH")
    @unittest.skipUnless(PLUGIN.is_file(), "make build makes the plugin")
    def test_fluent_bit_takes_the_configuration_as_the_pod_has_it(self) -> None:
        for directory in KUSTOMIZATIONS:
            with self.subTest(directory.name), tempfile.TemporaryDirectory() as root:
                manifests = render(directory)
                settings: dict[str, str] = {}
                for manifest in manifests:
                    if manifest["kind"] != "ConfigMap":
                        continue
                    if "fluent-bit-config" not in manifest["metadata"]["name"]:
                        settings |= manifest["data"]
                        continue
                    for name, text in manifest["data"].items():
                        Path(root, name).write_text(text)
                Path(root, "plugin.conf").write_text(f"[PLUGINS]\n    Path {PLUGIN}\n")
                _, main = fluent_bit(manifests)["args"]
                settings |= {
                    "PATH": os.environ["PATH"],
                    "SIDECAR_PARSERS_FILE": f"{root}/parsers.conf",
                    "SIDECAR_PLUGINS_FILE": f"{root}/plugin.conf",
                    "SIDECAR_STATE_DIR": f"{root}/state",
                    "HOSTNAME": "node",
                }
                tried = subprocess.run(
                    ["fluent-bit", "--dry-run", "-c", Path(root, Path(main).name)],
                    check=False,
                    env=settings,
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.assertEqual(tried.returncode, 0, tried.stderr)
