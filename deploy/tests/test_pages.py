"""The commands of the pages, run in a copy of the project with stub.py in the place of what would deploy."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from project import DEPLOY, KUBECTL, PAGES, ROOT, default_names

STUBS = ("aws", "docker", "helm", "kubectl", "make", "zip")
# What the commands read.
COPIED = ("deploy", "fluent-bit", "demo", "Makefile", "Cargo.toml")
PAGE_SECONDS = 120


def commands(page: Path) -> list[str]:
    """The blocks of shell commands of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def run(script: str, workdir: Path) -> subprocess.CompletedProcess[str]:
    """Runs `script` in a copy of the project."""
    copy = workdir / "project"
    copy.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        else:
            shutil.copy(source, copy)
    stubs = workdir / "stubs"
    stubs.mkdir()
    for name in STUBS:
        stub = stubs / name
        stub.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -B "{DEPLOY}/tests/stub.py" {name} "$@"\n'
        )
        stub.chmod(0o755)
    environment = {
        "PATH": f"{stubs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "demo"),
        "HOME": str(workdir),
        "STUB_STATE": str(workdir / "state.json"),
        "STUB_KUBECTL": KUBECTL or "",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=copy,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=PAGE_SECONDS,
    )


class Pages(unittest.TestCase):
    def run_script(self, script: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as workdir:
            return run(script, Path(workdir))

    def test_the_commands_of_every_page_name_what_there_is(self) -> None:
        self.assertEqual(len(PAGES), 7)
        for page in PAGES:
            with self.subTest(page.name):
                blocks = commands(page)
                # No block of another kind hides a command.
                self.assertEqual(page.read_text().count("```"), 2 * len(blocks))
                done = self.run_script("\n".join(blocks))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_commands_that_name_what_there_is_not_fail(self) -> None:
        stack = commands(ROOT / "docs" / "deploy" / "ecs-firelens.md")[0]
        outputs = "aws cloudformation describe-stacks --stack-name app-logs --query"
        query = (
            "aws athena start-query-execution --work-group app-logs"
            " --query-execution-context Database=app_logs --query-string"
        )
        for wrong, reason in (
            (stack.replace("cloudformation.yaml", "none.yaml"), "No such file"),
            (
                stack.replace("--cap", "--parameter-overrides None=1 --cap"),
                "no parameter None",
            ),
            (
                stack.replace("--cap", "--parameter-overrides StreamName=a/b --cap"),
                "does not match",
            ),
            (
                stack.replace("cloudformation.yaml", "ecs/firelens.yaml"),
                "Subnets.* must be given",
            ),
            (
                f"{stack}{outputs} \"Stacks[0].Outputs[?OutputKey=='None'].OutputValue\"",
                "finds nothing",
            ),
            ("aws ecs create-cluster --name a", "no option --name"),
            ("aws ecs make-cluster --name a", "ValueError"),
            ("aws eks describe-cluster", "name must be given"),
            (f"{query} 'SELECT none FROM http'", "none"),
            (f"{query} 'SELECT ts FROM https'", "https"),
            ("aws cloudformation delete-stack --stack-name none", "no such stack"),
            ("docker push none", "was not built"),
            ("kubectl apply -k deploy/kubernetes/none", "no deploy/kubernetes/none"),
            ("helm upgrade --install a b --values none", "none is not there"),
            ("make none A=b", "No rule to make target"),
            ("make image BASE=none", "give fluent-bit or aws-for-fluent-bit"),
            ("make image IMAGE_FLAGS=--none", "not known"),
            ("kubectl logs daemonset/fluent-bit --none 1", "not known"),
            ("cd deploy/compose; docker compose logs none", "no service"),
            ("zip -qr a.zip none", "is not there"),
            ("none", "command not found"),
        ):
            with self.subTest(wrong):
                done = self.run_script(wrong)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, reason)

    def test_the_table_that_make_schema_reads_can_be_asked_for(self) -> None:
        blocks = commands(ROOT / "docs" / "schema.md")
        [table] = [block for block in blocks if "aws glue get-table" in block]
        done = self.run_script(table)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_page_on_aws_makes_the_stack_and_asks_it_alike(self) -> None:
        on_aws = {
            page.stem: commands(page) for page in PAGES if page.name != "laptop.md"
        }
        first = on_aws["ecs-firelens"]
        for blocks in on_aws.values():
            self.assertEqual(blocks[:2], first[:2])
        # It asks its own tables.
        del on_aws["kubernetes-platform"]
        for blocks in on_aws.values():
            self.assertEqual(blocks[-3:-1], first[-3:-1])

    def test_the_settings_of_kubernetes_are_all_said(self) -> None:
        settings = ROOT / "deploy" / "kubernetes" / "common" / "settings.env"
        names = re.findall(r"^(\w+)=", settings.read_text(), re.MULTILINE)
        for page in PAGES:
            for text in re.findall(
                r"settings.env <<END\n(.*?)^END$", page.read_text(), re.M | re.S
            ):
                said = re.findall(r"^(\w+)=", text, re.M)
                with self.subTest(page.name):
                    self.assertEqual([name for name in said if name in names], names)
                    # A page may change defaults, too.
                    self.assertLessEqual(set(said) - set(names), default_names())

    def test_every_link_leads_to_a_file(self) -> None:
        for page in PAGES:
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                with self.subTest(page=page.name, link=link):
                    self.assertTrue((page.parent / link).exists())

    def test_the_platform_s_settings_have_a_template_and_a_list(self) -> None:
        page = ROOT / "docs" / "deploy" / "kubernetes-platform.md"
        *blocks, _ = [block for block in commands(page) if "NAMESPACES" in block]
        begin = "aws() { :; }; kubectl() { :; }; AWS_REGION=r REPOSITORY=r ROLE_ARN=r"
        end = "grep ^FIREHOSE_ deploy/kubernetes/common/settings.env"
        done = self.run_script(
            "\n".join(["export SIDECAR_IMAGE=i", begin, *blocks, end])
        )
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "FIREHOSE_DELIVERY_STREAM=$TAG[1]-logs",
                "FIREHOSE_DELIVERY_STREAM_DEFAULT=app-http-logs",
                "FIREHOSE_DELIVERY_STREAM_ALLOW=shop-logs,shop-prod-logs,search-logs",
            ],
        )

    def test_beanstalk_s_hooks_log_in_to_the_registries_of_both_images(self) -> None:
        sidecar = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
        app = "111111111111.dkr.ecr.us-east-1.amazonaws.com"
        for images, logins in (
            ((f"{sidecar}/fluent-bit:1", f"{app}/app:1"), [sidecar, app]),
            ((f"{sidecar}/fluent-bit:1", f"{sidecar}/app:1"), [sidecar]),
            (("docker.io/library/fluent-bit:1", "app:1"), []),
        ):
            for kind in ("hooks", "confighooks"):
                hook = f"deploy/elastic-beanstalk/.platform/{kind}/prebuild/login.sh"
                with self.subTest(images=images, hook=kind):
                    self.assertTrue(os.access(ROOT / hook, os.X_OK))
                    done = self.run_script(
                        "export SIDECAR_IMAGE={} APPLICATION_IMAGE={}".format(*images)
                        + f"\n{hook}"
                    )
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(done.stdout.split(), logins)
