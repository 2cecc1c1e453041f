"""The CloudFormation template as data."""

from pathlib import Path
from typing import Any

import yaml


def load(path: Path) -> dict[str, Any]:
    """The template, its short functions (!Ref) in their long form ({"Ref": ...})."""
    template = yaml.load(path.read_text(), Loader=_Loader)
    assert isinstance(template, dict)
    return template


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of the resources of the type `kind`, by their logical names."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def saved_queries(template: dict[str, Any], table: str) -> dict[str, str]:
    """The SQL of the workgroup's saved queries over `table`, by their names."""
    return {
        query["Name"]: query["QueryString"]["Fn::Sub"].replace("${HttpLogs}", table)
        for query in resources(template, "AWS::Athena::NamedQuery").values()
    }


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags."""


def _function(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt":
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _function)
