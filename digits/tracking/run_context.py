"""Where a run comes from: the code's state in git, the process, the machine, the packages.

Nothing here needs MLflow; `runs` logs what these functions return.
"""

import functools
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from digits.project import workspace

INPUT_TAG = "input."  # and a path: the tag with its SHA-256
NO_COMMIT = "no commit"
# The tag with all that programs alone read, as JSON. MLflow's pages hide tags with "mlflow.".
RECORD_TAG = "mlflow.digits.record"
RECORD_PREFIXES = ("git.", "input.", "code.", "dvc.", "env.")  # of the tags in it
PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "mlflow", "dvc")
# dvc.lock and metrics/ change with every run: results, not sources.
EXCLUDED = (":(exclude)dvc.lock", ":(exclude)metrics")
# Setting the clock moves the start times that the system reports for living processes.
CLOCK_STEP = 60.0


def git_state(folder: Path) -> tuple[dict[str, str], str]:
    """The state of the checkout at `folder`: tags of a run, and the uncommitted changes as a diff.

    The commit is "no commit" when git does not know the checkout. MLflow's pages show the
    `mlflow.` tags.
    """
    try:
        # A copy from an archive may lie inside another repository, which lacks this file.
        _git(folder, "ls-files", "--error-unmatch", "dvc.yaml")
        commit = _git(folder, "rev-parse", "HEAD").strip()
        branch = _git(folder, "branch", "--show-current").strip() or _experiment_branch(folder)
        diff = _git(folder, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", ".", *EXCLUDED)
        new = _git(folder, "ls-files", "--others", "--exclude-standard", "stages", "digits")
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": NO_COMMIT}, ""
    diff += "".join(f"# not in git: {path}\n" for path in new.splitlines())
    state = {"commit": commit, "branch": branch, "dirty": str(bool(diff)).lower()}
    return {f"{p}{k}": v for p in ("git.", "mlflow.source.git.") for k, v in state.items()}, diff


def _experiment_branch(folder: Path) -> str:
    """Return the branch that `dvc exp run` left for its detached HEAD; "detached" without it.

    In a copy of the checkout (`--temp`, `--queue`) that is the original's branch, unless it has
    another commit by now.
    """
    baseline = os.environ.get("DVC_EXP_BASELINE_REV")
    for root, name in ((folder, "@{-1}"), (workspace.state_root(), "HEAD")):
        with suppress(subprocess.CalledProcessError):
            branch = _git(root, "rev-parse", "--abbrev-ref", name).strip()
            if branch != "HEAD" and _git(root, "rev-parse", branch).strip() == baseline:
                return branch
    return "detached"


def committed_text(folder: Path, path: str) -> str:
    """Return a file of `folder` as it is in the last commit; an empty text where it is not."""
    with suppress(OSError, subprocess.CalledProcessError):
        return _git(folder, "show", f"HEAD:./{path}")
    return ""


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotePath=false", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return result.stdout.decode(errors="replace")


def process_identity() -> dict[str, str]:
    """Tags that identify this process among the processes of all machines."""
    return {
        "process.host": socket.gethostname(),
        "process.pid": str(os.getpid()),
        "process.started": f"{psutil.Process().create_time():.2f}",
    }


def has_ended(tags: Mapping[str, str]) -> bool:
    """Whether the process with the tags of `process_identity` has ended.

    False when it ran on another machine.
    """
    if tags.get("process.host") != socket.gethostname():
        return False
    try:
        started = psutil.Process(int(tags["process.pid"])).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(started - float(tags["process.started"])) > CLOCK_STEP


def environment_tags() -> dict[str, str]:
    """Tags: user, command, Python, machine, versions of the packages that matter."""
    installed = installed_packages()
    return {
        "mlflow.user": psutil.Process().username(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": Path(sys.argv[0]).name,
        "env.python": platform.python_version(),
        "env.host": socket.gethostname(),
        "env.platform": platform.platform(),
        "env.cpu": _cpu(),
        "env.cores": str(os.cpu_count()),
        **{f"env.{name}": installed[name] for name in PACKAGES if name in installed},
    }


@functools.cache
def installed_packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    versions = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return dict(sorted((name, version) for name, version in versions.items() if name))


def dvc_tags() -> dict[str, str]:
    """Tags: the DVC experiment and stage that this process works for."""
    names = {"dvc.experiment": "DVC_EXP_NAME", "dvc.stage": "DVC_STAGE"}
    return {tag: os.environ[name] for tag, name in names.items() if os.environ.get(name)}


def flatten_params(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys and text: {"mlp": {"hidden": [8]}} -> mlp.hidden [8]."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten_params(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def parse_param(text: str) -> Any:
    """Undo `flatten_params` for one value."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def fold_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Put tags for programs into one that MLflow's pages do not show; its own stay."""
    own = {key: value for key, value in tags.items() if key.startswith("mlflow.")}
    record = {key: value for key, value in tags.items() if key not in own}
    return {**own, RECORD_TAG: json.dumps(record)}


def unfold_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run or version with those that `fold_tags` put into one.

    The record can neither replace a tag nor stand in for one of another kind.
    """
    try:
        record = json.loads(tags.get(RECORD_TAG, "{}")).items()
    except (ValueError, AttributeError):
        return dict(tags)
    return {k: str(v) for k, v in record if k.startswith(RECORD_PREFIXES)} | dict(tags)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
