"""Where a run comes from: the code's state in git, the process, the machine, the packages."""

import functools
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

NO_COMMIT = "no commit"
PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "mlflow", "dvc")
# dvc.lock and metrics/ change with every run: results, not sources.
EXCLUDED = (":(exclude)dvc.lock", ":(exclude)metrics")
# Clocks that are set move the start times that the system reports for living processes.
CLOCK_STEP = 60.0


def git_state(folder: Path) -> tuple[dict[str, str], str]:
    """The state of the checkout at `folder`: tags of a run, and what the commit lacks as a diff.

    The commit is "no commit" when git does not know the checkout. The `mlflow.` tags are what
    MLflow's own pages show.
    """
    try:
        # A copy from an archive may lie inside some other repository: ask for our own file.
        _git(folder, "ls-files", "--error-unmatch", "dvc.yaml")
        commit = _git(folder, "rev-parse", "HEAD").strip()
        branch = _git(folder, "branch", "--show-current").strip() or "detached"
        diff = _diff(folder)
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": NO_COMMIT}, ""
    state = {"commit": commit, "branch": branch, "dirty": str(bool(diff)).lower()}
    prefixes = ("git.", "mlflow.source.git.")
    return {f"{prefix}{key}": value for prefix in prefixes for key, value in state.items()}, diff


def _diff(folder: Path) -> str:
    diff = _git(folder, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", ".", *EXCLUDED)
    new = _git(
        folder, "ls-files", "--others", "--exclude-standard", "stages", "digits"
    ).splitlines()
    return diff + "".join(f"# not in git: {path}\n" for path in new)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return done.stdout.decode(errors="replace")


def process_identity() -> dict[str, str]:
    """What names this process among all processes of all machines."""
    return {
        "process.host": socket.gethostname(),
        "process.pid": str(os.getpid()),
        "process.started": f"{psutil.Process().create_time():.2f}",
    }


def has_ended(tags: Mapping[str, str]) -> bool:
    """Whether the process that `process()` named is over; False on another machine."""
    if tags.get("process.host") != socket.gethostname():
        return False
    try:
        started = psutil.Process(int(tags["process.pid"])).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(started - float(tags["process.started"])) > CLOCK_STEP


def environment_tags() -> dict[str, str]:
    """Tags: user, command, Python, machine, versions of the packages that matter."""
    return {
        "mlflow.user": psutil.Process().username(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": Path(sys.argv[0]).name,
        "env.python": platform.python_version(),
        "env.host": socket.gethostname(),
        "env.platform": platform.platform(),
        "env.cpu": _cpu(),
        "env.cores": str(os.cpu_count()),
        **{
            f"env.{name}": installed_packages()[name]
            for name in PACKAGES
            if name in installed_packages()
        },
    }


@functools.cache
def installed_packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return dict(sorted((n, v) for n, v in found.items() if n))


def dvc_tags() -> dict[str, str]:
    """Tags: which experiment and stage of DVC this process works for."""
    found = {"dvc.experiment": "DVC_EXP_NAME", "dvc.stage": "DVC_STAGE"}
    return {tag: os.environ[name] for tag, name in found.items() if os.environ.get(name)}


def flatten_params(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys and text: {"mlp": {"hidden": [8]}} -> mlp.hidden [8]."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten_params(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


INPUT_TAG = "input."  # and a path: the tag with its SHA-256
