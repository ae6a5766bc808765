"""TODO"""

import subprocess

from digits.project import workspace
from digits.project.errors import UserError


class RevisionNotFoundError(UserError):
    """Git has no such revision."""


def resolve_commit(name: str) -> str:
    """The full id of a git revision. Raises NoRevisionError when there is none."""
    found = run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not found:
        raise RevisionNotFoundError(f"git has no revision {name!r}; `git log` lists commits")
    return found


def commits_introducing(oid: str) -> list[str]:
    """The commits of all branches that brought this object into dvc.lock, newest first."""
    touching = run_git("log", "--all", f"-S{oid}", "--format=%H", "--", "dvc.lock").split()
    return [commit for commit in touching if oid in run_git("show", f"{commit}:dvc.lock")]


def run_git(*arguments: str, strict: bool = False) -> str:
    """What git prints. Where it fails or is missing nothing, or UserError if `strict`."""
    command = ["git", "-C", str(workspace.state_root()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        if strict:
            raise UserError(f"git does not answer ({error}); nothing was changed") from error
        return ""
    return done.stdout.strip()
