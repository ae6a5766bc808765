"""The files of deploy/ pass their linters, and name what exists."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from digits.service import prometheus_metrics
from tests.deploy import stack

FOLDER = stack.ROOT / "deploy"
COMPOSE = (FOLDER / "compose.yaml").read_text()
RULES = (FOLDER / "alerts.yaml").read_text()


def lint(*command):
    """Let a linter read a file."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_hadolint():
    """No warning either."""
    lint("hadolint", "Dockerfile")


def test_the_compose_file_follows_the_specification():
    """By the JSON schema of the Compose specification."""
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_rules_are_read_by_prometheus():
    """By promtool, which is in Debian's package prometheus."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    lint("promtool", "check", "rules", "alerts.yaml")


def test_nothing_starts_without_secrets():
    """Each secret must be set, and none has a default."""
    variables = re.findall(r"\$\{(\w+)(:\S?)", COMPOSE)
    secrets = {"POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "DIGITS_TOKEN"}

    assert {name for name, operator in variables if operator == ":?"} == secrets
    assert secrets.isdisjoint(name for name, operator in variables if operator == ":-")


def test_ports_are_open_to_this_machine_only():
    """Each published port is of 127.0.0.1."""
    services = yaml.safe_load(COMPOSE)["services"].values()
    ports = [port for service in services for port in service.get("ports", ())]

    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_rules_name_metrics_that_the_service_has():
    """Else a renamed metric would silence its alert."""
    expressions = " ".join(re.findall(r"expr: (.*?)(?:for:|labels:)", RULES, re.DOTALL))
    used = set(re.findall(r"\bdigits_\w+", expressions))
    metrics = [m for m in vars(prometheus_metrics).values() if isinstance(m, MetricWrapperBase)]
    names = {sample for metric in metrics for sample in sample_names(metric)}

    assert used
    assert used <= names


def sample_names(metric):
    """The names of a metric's samples."""
    (family,) = metric.describe()
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return [family.name + ending for ending in endings.get(family.type, [""])]
