"""The values for charts. The charts are not here: what they make of the values that a pod is made of is."""

import re
import unittest
from typing import Any

import kubernetes_validate
import yaml

from project import DAEMONSET, DEPLOY, default_names

CHARTS = DEPLOY / "kubernetes" / "charts"
# What the chart fluent-bit 0.58.1 reads, of that which is used here.
FLUENT_BIT = {
    "affinity": dict,
    "args": list,
    "command": list,
    "config": {"outputs": str},
    "daemonSetVolumeMounts": list,
    "daemonSetVolumes": list,
    "env": list,
    "image": {"repository": str, "tag": str},
    "livenessProbe": dict,
    "networkPolicy": {"enabled": bool, "ingress": {"from": list}},
    "nodeSelector": dict,
    "podAnnotations": dict,
    "podSecurityContext": dict,
    "priorityClassName": str,
    "rbac": {"create": bool},
    "readinessProbe": dict,
    "resources": dict,
    "securityContext": dict,
    "serviceAccount": {
        "annotations": dict,
        "automountServiceAccountToken": bool,
        "create": bool,
        "name": str,
    },
    "terminationGracePeriodSeconds": int,
    "testFramework": {"enabled": bool},
    "tolerations": list,
    "updateStrategy": dict,
}
# The same of the chart aws-for-fluent-bit 0.2.0.
AWS_FOR_FLUENT_BIT = {
    "additionalFilters": str,
    "cloudWatchLogs": {"enabled": bool},
    "filter": {"enabled": bool},
    "firehose": {
        "deliveryStream": str,
        "enabled": bool,
        "extraOutputs": str,
        "region": str,
        "timeKey": str,
    },
    "image": {"repository": str, "tag": str},
    "input": {"db": str, "extraInputs": str, "multilineParser": str},
    "kinesis": {"extraOutputs": str},
    "livenessProbe": dict,
    "nodeSelector": dict,
    "podSecurityContext": dict,
    "resources": dict,
    "service": {"extraParsers": str, "extraService": str, "parsersFiles": list},
    "serviceAccount": {"annotations": dict, "name": str},
    "volumeMounts": list,
    "volumes": list,
}


def values(name: str) -> dict[str, Any]:
    read = yaml.safe_load((CHARTS / name).read_text())
    assert isinstance(read, dict)
    return read


def unknown(given: dict[str, Any], known: dict[str, Any], path: str = "") -> list[str]:
    """What a chart would pass over, or stop at."""
    found = []
    for key, value in given.items():
        kind = known.get(key)
        if isinstance(kind, dict) and isinstance(value, dict):
            found += unknown(value, kind, f"{path}{key}.")
        elif not isinstance(kind, type) or not isinstance(value, kind):
            found.append(f"{path}{key}")
    return found


def daemonset(given: dict[str, Any]) -> dict[str, Any]:
    """The values that a chart copies to its DaemonSet, where it copies them to."""
    container = {
        "args": "args",
        "command": "command",
        "env": "env",
        "livenessProbe": "livenessProbe",
        "readinessProbe": "readinessProbe",
        "resources": "resources",
        "securityContext": "securityContext",
        "daemonSetVolumeMounts": "volumeMounts",
        "volumeMounts": "volumeMounts",
    }
    pod = {
        "affinity": "affinity",
        "nodeSelector": "nodeSelector",
        "podSecurityContext": "securityContext",
        "priorityClassName": "priorityClassName",
        "terminationGracePeriodSeconds": "terminationGracePeriodSeconds",
        "tolerations": "tolerations",
        "daemonSetVolumes": "volumes",
        "volumes": "volumes",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "fluent-bit"},
        "spec": {
            "selector": {"matchLabels": {"app": "fluent-bit"}},
            "updateStrategy": given.get("updateStrategy", {}),
            "template": {
                "metadata": {
                    "labels": {"app": "fluent-bit"},
                    "annotations": given.get("podAnnotations", {}),
                },
                "spec": {
                    "containers": [
                        {"name": "fluent-bit", "image": "image"}
                        | {to: given[key] for key, to in container.items() if key in given}
                    ]
                }
                | {to: given[key] for key, to in pod.items() if key in given},
            },
        },
    }


class Charts(unittest.TestCase):
    def test_every_value_is_one_that_its_chart_reads(self) -> None:
        for name, known in (
            ("fluent-bit.yaml", FLUENT_BIT),
            ("fluent-bit-output.yaml", FLUENT_BIT),
            ("aws-for-fluent-bit.yaml", AWS_FOR_FLUENT_BIT),
        ):
            with self.subTest(name):
                self.assertEqual(unknown(values(name), known), [])
                manifest = daemonset(values(name))
                version = kubernetes_validate.latest_version()
                kubernetes_validate.validate(manifest, version, strict=True)

    def test_the_chart_s_pod_is_the_daemonset_s(self) -> None:
        here = yaml.safe_load((DAEMONSET / "daemonset.yaml").read_text())["spec"]
        chart = daemonset(values("fluent-bit.yaml"))["spec"]
        self.assertEqual(chart["updateStrategy"], here["updateStrategy"])
        self.assertEqual(
            chart["template"]["metadata"]["annotations"],
            here["template"]["metadata"]["annotations"],
        )
        ours, theirs = here["template"]["spec"], chart["template"]["spec"]
        (mine,), (its,) = ours.pop("containers"), theirs.pop("containers")
        for key in ("securityContext", "resources", "readinessProbe", "livenessProbe"):
            self.assertEqual(its[key], mine[key])
        # The configuration is in the image there.
        del ours["serviceAccountName"]
        ours["volumes"] = [one for one in ours["volumes"] if one["name"] != "config"]
        self.assertEqual(theirs, ours)
        names = {one["name"] for one in its["env"]}
        self.assertLessEqual(
            names,
            default_names() | {"AWS_REGION", "FIREHOSE_DELIVERY_STREAM", "HOSTNAME"},
        )

    def test_every_output_is_this_plugin_s(self) -> None:
        operator = values("fluent-operator.yaml")["spec"]["customPlugin"]["config"]
        output = values("fluent-bit-output.yaml")["config"]["outputs"]
        for text in (operator, output):
            self.assertRegex(text, r"(?i)\bname +firehose\n")
        service = values("aws-for-fluent-bit.yaml")["service"]
        self.assertIn("firehose.so", service["extraParsers"])
        (path,) = re.findall(r"Plugins_File (\S+)", service["extraService"])
        self.assertEqual(path, "/fluent-bit/etc/parser_extra.conf")
