"""What git says of this checkout."""

import difflib
import subprocess

from stages.lib import files
from stages.lib.errors import UserError


class NoRevisionError(UserError):
    """Git has no such revision."""


def commit(revision: str) -> str:
    """The full id of a git revision. Raises NoRevisionError when there is none."""
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not found:
        names = git("for-each-ref", "--format=%(refname:short)").split()
        near = difflib.get_close_matches(revision, names, 1)
        hint = f", perhaps {near[0]}" if near else ""
        raise NoRevisionError(f"git has no revision {revision!r}{hint}; `git log` lists commits")
    return found


def introducing(oid: str) -> list[str]:
    """The commits of all branches that brought this object into dvc.lock, newest first."""
    touching = git("log", "--all", f"-S{oid}", "--format=%H", "--", "dvc.lock").split()
    return [commit for commit in touching if oid in git("show", f"{commit}:dvc.lock")]


def git(*arguments: str) -> str:
    """What git prints; nothing where it fails or is missing."""
    command = ["git", "-C", str(files.home()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
