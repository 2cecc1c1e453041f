"""Where the project's files are, and what several tests ask of them."""

import re
import shutil
from pathlib import Path
from typing import Any

from template import load, resources

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FLUENT_BIT = ROOT / "fluent-bit"
DOCKERFILE = FLUENT_BIT / "Dockerfile"
PAGES = sorted((ROOT / "docs" / "deploy").glob("*.md"))

STACK = DEPLOY / "cloudformation.yaml"
STREAM = DEPLOY / "streams" / "stream.yaml"
STREAMS_POLICY = DEPLOY / "streams" / "policy.yaml"
TEMPLATES = [
    STACK,
    STREAM,
    STREAMS_POLICY,
    *sorted((DEPLOY / "ecs").glob("*.yaml")),
    DEPLOY / "kubernetes" / "role.yaml",
]
SIDECAR = DEPLOY / "kubernetes" / "sidecar"
DAEMONSET = DEPLOY / "kubernetes" / "daemonset"
KUSTOMIZATIONS = [SIDECAR, DAEMONSET]
KUBECTL = shutil.which("kubectl")


def templates() -> dict[str, dict[str, Any]]:
    """All CloudFormation templates, by their names."""
    return {path.name: load(path) for path in TEMPLATES}


def table_and_destination(
    template: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table of a template, and where its delivery stream writes."""
    (table,) = resources(template, "AWS::Glue::Table").values()
    (stream,) = resources(template, "AWS::KinesisFirehose::DeliveryStream").values()
    return table, stream["ExtendedS3DestinationConfiguration"]


def defaults() -> dict[str, str]:
    """The variables of fluent-bit/defaults.env."""
    text = (FLUENT_BIT / "defaults.env").read_text()
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def default_names() -> set[str]:
    return set(defaults())
