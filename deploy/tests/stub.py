"""Takes the place of aws, docker, helm, kubectl, make and zip while a page's commands run.

Nothing is deployed: what a command names (files, parameters, outputs, operations, options, columns, services, targets) must
be there, or the command fails. What one command makes, a later one may use.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import duckdb
import jmespath
import yaml
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from project import STACK
from template import load, resources

# The real one, if there is any.
KUBECTL = os.environ["STUB_KUBECTL"]

# What an operation answers, where any text would not do.
ANSWERS: dict[str, Any] = {
    "create-repository": {
        "repository": {
            "repositoryUri": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/repository"
        }
    },
    "describe-cluster": {
        "cluster": {
            "identity": {
                "oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC123"}
            }
        }
    },
    "list-available-solution-stacks": {
        "SolutionStacks": [
            "64bit Amazon Linux 2023 v4.0.0 running ECS",
            "64bit Amazon Linux 2023 v4.0.0 running Docker",
        ]
    },
}


EMPTY = '{"stacks": {}, "image": null, "applied": []}'


class State:
    """What the page's commands have made up to now."""

    def __init__(self) -> None:
        self._path = Path(os.environ["STUB_STATE"])
        self._text = self._path.read_text() if self._path.exists() else EMPTY
        stored = json.loads(self._text)
        # The stacks' templates and the parameters that were given, the image, and what kubectl applied.
        self.stacks: dict[str, tuple[str, dict[str, str]]] = stored["stacks"]
        self.image: str | None = stored["image"]
        self.applied: list[dict[str, Any]] = stored["applied"]

    def save(self) -> None:
        """Keeps what changed; the other commands of a pipe change nothing, and read at the same time."""
        made = {"stacks": self.stacks, "image": self.image, "applied": self.applied}
        if made != json.loads(self._text):
            self._path.write_text(json.dumps(made))


def main() -> None:
    command, *arguments = sys.argv[1:]
    state = State()
    try:
        COMMANDS[command](state, arguments)
    except Exception as error:
        sys.exit(f"{command} {' '.join(arguments)}: {type(error).__name__}: {error}")
    state.save()


def check(condition: object, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


# === aws ===


def aws(state: State, arguments: list[str]) -> None:
    service, operation, *rest = arguments
    if (service, operation) == ("s3", "cp"):
        check(Path(rest[0]).is_file(), f"{rest[0]} is not there")
        return
    if (service, operation) == ("ecr", "get-login-password"):
        region = _options(rest).get("--region", [os.environ.get("AWS_REGION", "")])[0]
        print(f"password for {region}")
        return
    if operation == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service).waiter_names
        waiter, *rest = rest
        check(waiter in [xform_name(name, "-") for name in waiters], f"no {waiter}")
        check(
            _options(rest)["--stack-name"][0] in state.stacks, "there is no such stack"
        )
        return
    options = _options(rest)
    expression = options.pop("--query", [None])[0]
    options.pop("--output", None)
    if (service, operation) == ("cloudformation", "deploy"):
        _deploy(state, options)
        return
    model = _operation(service, operation)
    _check_options(model, options)
    if operation == "delete-stack":
        check(options["--stack-name"][0] in state.stacks, "there is no such stack")
    if operation == "describe-stacks":
        answer = _stack(state, options["--stack-name"][0])
    else:
        answer = ANSWERS.get(operation) or _sample(model.output_shape)
    if operation == "start-query-execution":
        _check_query(state, options)
    if expression:
        found = jmespath.search(expression, answer)
        check(found, f"{expression} finds nothing in {answer}")
        print(found if isinstance(found, str) else json.dumps(found))


def _options(arguments: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for argument in arguments:
        if argument.startswith("--"):
            options.setdefault(argument, [])
        else:
            check(options, f"{argument} belongs to no option")
            options[list(options)[-1]].append(argument)
    return options


def _operation(service: str, operation: str) -> OperationModel:
    model = botocore.session.get_session().get_service_model(service)
    (name,) = [
        name for name in model.operation_names if xform_name(name, "-") == operation
    ]
    return model.operation_model(name)


def _check_options(model: OperationModel, options: dict[str, list[str]]) -> None:
    shape = model.input_shape or StructureShape("None", {"type": "structure"})
    members = {"--" + xform_name(name, "-"): name for name in shape.members}
    for option, values in options.items():
        check(option in members, f"there is no option {option}")
        kind = shape.members[members[option]].type_name
        check(kind == "boolean" or (values and all(values)), f"{option} has no value")
    given = {members[option] for option in options}
    missing = set(shape.required_members) - given
    check(not missing, f"{', '.join(missing)} must be given")


def _sample(shape: Shape | None, depth: int = 0) -> Any:
    """An answer of the shape, with one element in each list."""
    if isinstance(shape, StructureShape):
        if depth > 6:
            return {}
        return {
            name: _sample(member, depth + 1) for name, member in shape.members.items()
        }
    if isinstance(shape, ListShape):
        return [_sample(shape.member, depth + 1)]
    return "text"


def _deploy(state: State, options: dict[str, list[str]]) -> None:
    (path,) = options["--template-file"]
    template = load(Path(path))
    given = dict(
        value.split("=", 1) for value in options.get("--parameter-overrides", [])
    )
    for name, value in given.items():
        check(name in template["Parameters"], f"{path} has no parameter {name}")
        _check_parameter(name, template["Parameters"][name], value)
    needed = {
        key for key, value in template["Parameters"].items() if "Default" not in value
    }
    check(needed <= set(given), f"{needed - set(given)} must be given")
    text = json.dumps(template)
    if "AWS::IAM::" in text:
        check(
            "CAPABILITY_IAM" in options["--capabilities"], "CAPABILITY_IAM is missing"
        )
    for name in re.findall(
        r'"Fn::ImportValue": {"Fn::Sub": "\${LogsStack}-(\w+)"}', text
    ):
        exporter = load(Path(state.stacks[_value(template, given, "LogsStack")][0]))
        exported = [
            output["Export"]["Name"]
            for output in exporter["Outputs"].values()
            if "Export" in output
        ]
        check(
            {"Fn::Sub": f"${{AWS::StackName}}-{name}"} in exported,
            f"{name} is not exported",
        )
    state.stacks[options["--stack-name"][0]] = (path, given)


def _value(template: dict[str, Any], given: dict[str, str], parameter: str) -> str:
    value = given.get(parameter, template["Parameters"][parameter].get("Default"))
    assert isinstance(value, str)
    return value


def _check_parameter(name: str, parameter: dict[str, Any], value: str) -> None:
    check(value, f"{name} is empty")
    pattern = parameter.get("AllowedPattern", ".*")
    check(re.fullmatch(pattern, value), f"{name}={value} does not match {pattern}")
    allowed = parameter.get("AllowedValues", [value])
    check(value in allowed, f"{name}={value} is none of {allowed}")


def _stack(state: State, name: str) -> dict[str, Any]:
    outputs = load(Path(state.stacks[name][0]))["Outputs"]
    return {
        "Stacks": [
            {
                "Outputs": [
                    {"OutputKey": key, "OutputValue": f"{name}-{key}"}
                    for key in outputs
                ]
            }
        ]
    }


def _check_query(state: State, options: dict[str, list[str]]) -> None:
    """The query must fit the template's workgroup and database, and the stacks' tables and columns."""
    template = load(STACK)
    parameters = template["Parameters"]
    workgroup = parameters["WorkGroupName"]["Default"]
    check(options["--work-group"] == [workgroup], f"the workgroup is {workgroup}")
    context = f"Database={parameters['DatabaseName']['Default']}"
    check(options["--query-execution-context"] == [context], f"it must be {context}")
    with duckdb.connect() as connection:
        for path, given in [(str(STACK), {}), *state.stacks.values()]:
            for table in resources(load(Path(path)), "AWS::Glue::Table").values():
                connection.execute(_create(table["TableInput"], given))
        connection.execute(options["--query-string"][0])


def _create(table: dict[str, Any], given: dict[str, str]) -> str:
    """A statement that creates the table, with text in each column."""
    name = table["Name"]
    if isinstance(name, dict):
        joint, parts = name["Fn::Join"]
        separator, whole = parts["Fn::Split"]
        whole = whole["Fn::Sub"].replace("${Namespace}", given["Namespace"])
        name = whole.replace(separator, joint)
    columns = table["StorageDescriptor"]["Columns"] + table["PartitionKeys"]
    names = ", ".join(f'"{column["Name"]}" VARCHAR' for column in columns)
    return f"CREATE TABLE IF NOT EXISTS {name} ({names})"


# === docker, helm, kubectl, make, zip ===


def docker(state: State, arguments: list[str]) -> None:
    if arguments[0] == "login":
        region = sys.stdin.read().removeprefix("password for ").strip()
        check(region, "there is no password")
        check(region in arguments[-1], f"{arguments[-1]} is not in {region}")
        print(arguments[-1])
    elif arguments[0] == "push":
        check(arguments[1] == state.image, f"{arguments[1]} was not built")
    elif arguments[0] == "buildx":
        _buildx(state, *arguments[1:])
    else:
        check(arguments[0] == "compose", f"docker {arguments[0]} is not known here")
        services = yaml.safe_load(Path("docker-compose.yml").read_text())["services"]
        if arguments[1] == "run":
            check(arguments[3] in services, f"{arguments[3]} is no service")
            aws(state, arguments[4:])
        if arguments[1] == "logs":
            check(arguments[2] in services, f"{arguments[2]} is no service")


def _buildx(state: State, command: str, *arguments: str) -> None:
    if command == "version":
        return
    check(command == "build", f"docker buildx {command} is not known here")
    *rest, folder = arguments
    check(Path(folder).is_dir(), f"{folder} is no folder")
    options = _options(rest)
    check(
        set(options)
        <= {"--file", "--build-arg", "--tag", "--platform", "--load", "--push"},
        f"not known: {options}",
    )
    (path,) = options["--file"]
    known = re.findall(r"^ARG (\w+)$", Path(path).read_text(), re.MULTILINE)
    for argument in options["--build-arg"]:
        name, _ = argument.split("=", 1)
        check(name in known, f"{path} has no argument {name}")
    (state.image,) = options["--tag"]


def helm(_: State, arguments: list[str]) -> None:
    check(arguments[:2] == ["upgrade", "--install"], "not known here")
    _, _, _, *rest = arguments
    for option, value in zip(rest, rest[1:], strict=False):
        if option == "--values":
            check(Path(value).is_file(), f"{value} is not there")


def kubectl(state: State, arguments: list[str]) -> None:
    if arguments[:2] in (["apply", "-k"], ["delete", "-k"]):
        directory = Path(arguments[2])
        check((directory / "kustomization.yaml").is_file(), f"no {directory}")
        if KUBECTL:
            command = [KUBECTL, "kustomize", str(directory)]
            built = subprocess.run(command, check=True, capture_output=True, timeout=60)
            state.applied += map(_resource, yaml.safe_load_all(built.stdout))
    elif arguments[:2] == ["rollout", "status"]:
        _check_applied(state, *arguments[2:])
    elif arguments[0] == "logs":
        _check_applied(state, *arguments[1:])
    else:
        raise ValueError("not known here")


def _resource(manifest: dict[str, Any]) -> dict[str, Any]:
    """What commands can name of a manifest."""
    metadata = manifest["metadata"]
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return {
        "name": f"{manifest['kind'].lower()}/{metadata['name']}",
        "namespace": metadata.get("namespace"),
        "containers": [
            container["name"]
            for kind in ("initContainers", "containers")
            for container in pod.get(kind, [])
        ],
    }


def _check_applied(state: State, resource: str, *arguments: str) -> None:
    options = _options(list(arguments))
    check(set(options) <= {"--namespace", "--container"}, f"not known: {options}")
    if not KUBECTL:
        return
    (namespace,) = options["--namespace"]
    found = [
        manifest
        for manifest in state.applied
        if manifest["name"] == resource and manifest["namespace"] == namespace
    ]
    check(found, f"{resource} in {namespace} is not in {state.applied}")
    for container in options.get("--container", []):
        check(container in found[0]["containers"], f"no {container} in {found[0]}")


def make(_: State, arguments: list[str]) -> None:
    # An image is built by the docker of this file, of no package; of other targets make says what it would do, and fails
    # where there is none.
    real = shutil.which("make", path=os.environ["PATH"].partition(":")[2])
    more = ["PACKAGES="] if arguments[0] == "image" else ["--dry-run"]
    command = [str(real), *more, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)


def zip_(state: State, arguments: list[str]) -> None:
    _, archive, *files = arguments
    for file in files:
        check(Path(file).exists(), f"{file} is not there")
    Path(archive).touch()


COMMANDS = {
    "aws": aws,
    "docker": docker,
    "helm": helm,
    "kubectl": kubectl,
    "make": make,
    "zip": zip_,
}

if __name__ == "__main__":
    main()
