"""Build a registered version again from a commit alone, and compare the bytes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import find, lineage, resolve, subject
from stages.lib.tracking.version import DVC_OID, Version

RAW = "data/raw"  # the only output that cannot be built without a network
# What decides the last bits besides code, data and parameters: tags of a run.
DECISIVE = ("env.cpu", "env.python", "env.torch")


def rebuild(reference: str) -> int:
    """Build a version again and tell whether its bytes come out; 0 if they do, else 2.

    Tells beforehand what can make a difference. Everything happens in a temporary clone
    with a cache and a tracking store of its own. Raises UserError when the version names no
    commit that is here, or when the build fails.
    """
    version = resolve.version(reference)
    if version.commit in {lineage.NO_COMMIT, "unknown"}:
        found = f"version {version.number} was built outside of git"
        raise UserError(f"{found}, so there is nothing to rebuild it from; choose another")
    commit = kept_in(version) or tracked.commit(version.commit)
    for doubt in doubts(version, commit):
        print(f"note: {doubt}", flush=True)
    with tempfile.TemporaryDirectory(prefix="digits-rebuild-") as scratch:
        clone = Path(scratch) / "digits"
        _clone(commit, clone)
        # quiet: its advice what to add and push is about a clone that nobody ever sees
        _run(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "train")
        equal = same_model(version, clone)
    told = "equal bytes" if equal else "other bytes"
    print(f"version {version.number}, rebuilt from {commit[:10]}: {told}")
    return 0 if equal else 2


def kept_in(version: Version) -> str | None:
    """The first commit with the model of a version whose sources were committed after it.

    Who changes a value, runs `dvc repro` and commits both has that value only there.
    """
    if version.tags.get("git.dirty") != "true" or DVC_OID not in version.tags:
        return None
    return next(reversed(tracked.introducing(version.tags[DVC_OID])), None)


def doubts(version: Version, commit: str) -> Iterator[str]:
    """What can make a difference though nothing is wrong, when `commit` is built."""
    if version.tags.get("git.dirty") == "true" and commit == version.commit:
        yield "it was built with uncommitted changes; its commit alone may give other bytes"
    run = find.run(version.run_id)
    tags = run.store.client.get_run(run.run_id).data.tags if run else {}
    here = lineage.environment()
    for name in DECISIVE:
        then, now = tags.get(name, "unknown"), here.get(name, "unknown")
        if then != now:
            yield f"{name.removeprefix('env.')} was {then}, here it is {now}: last bits can differ"


def _clone(commit: str, clone: Path) -> None:
    """A clean checkout of a commit, with the raw data where DVC has them here.

    Their bytes are checked by the clone's own stage `download`.
    """
    _run(files.home(), "git", "clone", "--quiet", "--no-checkout", str(files.home()), str(clone))
    _run(clone, "git", "checkout", "--quiet", "--detach", commit)
    try:
        with tracked.revision(commit) as revision:
            revision.get(f"/{RAW}", str(clone / RAW), recursive=True)
    except tracked.AbsentError:
        print(f"note: {RAW} is not in DVC's cache; it is downloaded anew", flush=True)


def _run(folder: Path, *command: str) -> None:
    """Run a command that reports to no store and no experiment of this checkout."""
    ours = ("MLFLOW_", "DVC_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    # DVC's own place for this is a folder that every user of the machine can write to.
    environment["DVC_SITE_CACHE_DIR"] = str(folder / ".dvc" / "tmp" / "site")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    status = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    if status:
        failed = f"`{' '.join(command[-3:])}` failed in a clean clone, status {status}"
        raise UserError(f"{failed}; its last lines say why")


def same_model(version: Version, clone: Path) -> bool:
    """Whether the model in a checkout has the bytes of a version."""
    return bool(integrity.check(clone / subject.MODEL)["content_sha256"] == version.content_sha256)
