"""A temporary clone of this checkout at a commit, in which stages run without touching this one."""

import os
import subprocess
import sys
from pathlib import Path

from digits.project import dvc_storage, workspace
from digits.project.errors import UserError

RAW_DATA = "data/raw"  # the only output that cannot be built without a network


def clone_commit(commit: str, clone: Path) -> None:
    """Make `clone` a clean checkout of a commit, with the raw data where DVC has them here.

    Their bytes are checked by the clone's own stage `download`.
    """
    # shared: a commit that no branch has any more is there, too
    root = workspace.state_root()
    run_in_clone(
        root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(clone)
    )
    run_in_clone(clone, "git", "checkout", "--quiet", "--detach", commit)
    try:
        with dvc_storage.open_revision(commit) as revision:
            revision.get(f"/{RAW_DATA}", str(clone / RAW_DATA), recursive=True)
    except dvc_storage.ObjectNotFoundError:
        print(f"note: {RAW_DATA} is not in DVC's cache; it is downloaded anew", file=sys.stderr)


def run_in_clone(folder: Path, *command: str, tracking_uri: str = "") -> None:
    """Run a command that logs to `tracking_uri`, by default into the clone's own store.

    It belongs to no experiment of this checkout. Raises UserError when it fails.
    """
    own = ("DVC_",) if tracking_uri else ("DVC_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    if tracking_uri:
        environment["MLFLOW_TRACKING_URI"] = tracking_uri
    environment |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    # DVC's own folder for this is one that every user of the machine can write to.
    environment["DVC_SITE_CACHE_DIR"] = str(folder / ".dvc" / "tmp" / "site")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    status = subprocess.run(command, cwd=folder, env=environment, stdout=2, check=False).returncode
    if status:
        failed = f"`{' '.join(command[-3:])}` failed in a clean clone, status {status}"
        raise UserError(f"{failed}; its last lines say why")
