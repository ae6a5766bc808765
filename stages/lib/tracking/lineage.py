"""Where a run comes from: the code's state in git, the process, the machine, the packages."""

import functools
import getpass
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

NO_COMMIT = "no commit"
PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "mlflow", "dvc")
# dvc.lock and metrics/ change with every run: results, not sources.
EXCLUDED = (":(exclude)dvc.lock", ":(exclude)metrics")
# Clocks that are set move the start times that the system reports for living processes.
CLOCK_STEP = 60.0


@dataclass(frozen=True)
class Source:
    """The code's state: `diff` is what the commit lacks, empty when nothing."""

    commit: str
    branch: str
    diff: str

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a run; the `mlflow.` ones are what MLflow's own pages show."""
        tags = {"git.commit": self.commit}
        if self.commit == NO_COMMIT:
            return tags
        dirty = str(bool(self.diff)).lower()
        return tags | {
            "git.branch": self.branch,
            "git.dirty": dirty,
            "mlflow.source.git.commit": self.commit,
            "mlflow.source.git.branch": self.branch,
            "mlflow.source.git.dirty": dirty,
        }


def source(folder: Path) -> Source:
    """The state of the checkout at `folder`; "no commit" when git does not know it."""
    try:
        # A copy from an archive may lie inside some other repository: ask for our own file.
        _git(folder, "ls-files", "--error-unmatch", "dvc.yaml")
        commit = _git(folder, "rev-parse", "HEAD").strip()
        branch = _git(folder, "branch", "--show-current").strip() or "detached"
        return Source(commit, branch, _diff(folder))
    except (OSError, subprocess.CalledProcessError):
        return Source(NO_COMMIT, "", "")


def _diff(folder: Path) -> str:
    diff = _git(folder, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", ".", *EXCLUDED)
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "stages").splitlines()
    return diff + "".join(f"# not in git: {path}\n" for path in new)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return done.stdout.decode(errors="replace")


def process() -> dict[str, str]:
    """What names this process among all processes of all machines."""
    return {
        "process.host": socket.gethostname(),
        "process.pid": str(os.getpid()),
        "process.started": f"{psutil.Process().create_time():.2f}",
    }


def gone(tags: Mapping[str, str]) -> bool:
    """Whether the process that `process()` named is over; False on another machine."""
    if tags.get("process.host") != socket.gethostname():
        return False
    try:
        started = psutil.Process(int(tags["process.pid"])).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(started - float(tags["process.started"])) > CLOCK_STEP


def environment(threads: int | None) -> dict[str, str]:
    """Tags: user, command, Python, machine, versions of the packages that matter."""
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": Path(sys.argv[0]).name,
        "env.python": platform.python_version(),
        "env.host": socket.gethostname(),
        "env.platform": platform.platform(),
        "env.cpu": _cpu(),
        "env.cores": str(os.cpu_count()),
    }
    if threads is not None:
        tags["env.threads"] = str(threads)
    versions = {f"env.{name}": installed().get(name, "") for name in PACKAGES}
    return tags | {name: version for name, version in versions.items() if version}


@functools.cache
def installed() -> dict[str, str]:
    """Every installed distribution and its version."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return dict(sorted((n, v) for n, v in found.items() if n))


def packages() -> str:
    """Every installed package as a line `name==version`."""
    return "".join(f"{name}=={version}\n" for name, version in installed().items())


def dvc() -> dict[str, str]:
    """Tags: which experiment and stage of DVC this process works for."""
    found = {"dvc.experiment": "DVC_EXP_NAME", "dvc.stage": "DVC_STAGE"}
    return {tag: os.environ[name] for tag, name in found.items() if os.environ.get(name)}


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys and text: {"mlp": {"hidden": [8]}} -> mlp.hidden [8]."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, usual in containers
        return str(os.getuid())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
