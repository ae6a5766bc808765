"""Ask git about revisions of this checkout. The files of a revision are read by `dvc_storage`."""

import shutil
from subprocess import DEVNULL, SubprocessError, check_output

from digits.project import workspace
from digits.project.errors import UserError


class RevisionNotFoundError(UserError):
    """Git has no such revision."""


def resolve_commit(name: str) -> str:
    """The full id of a git revision or of an experiment of DVC.

    Raises RevisionNotFoundError when there is none.
    """
    commit = run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit and not set(name) & set("*?[\\"):  # which would be a pattern
        commit = run_git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{name}")[:40]
    if not commit:
        problem = "has no revision" if shutil.which("git") else "is not installed to look for"
        raise RevisionNotFoundError(f"git {problem} {name!r}; `git log` lists commits")
    return commit


def commits_introducing(oid: str) -> list[str]:
    """The commits of all branches that added an object id to dvc.lock, newest first."""
    commits = run_git("log", "--all", f"-S{oid}", "--format=%H", "--", "dvc.lock").split()
    return [commit for commit in commits if oid in run_git("show", f"{commit}:dvc.lock")]


def changed_files(*paths: str) -> list[str]:
    """The files below `paths` that differ from the last commit; none where there is no commit."""
    return run_git("diff", "--name-only", "HEAD", "--", *paths).splitlines()


def run_git(*arguments: str, strict: bool = False) -> str:
    """Return what git prints; after a failure an empty text, or UserError if `strict`."""
    root = workspace.state_root() if strict else workspace.find_state_root()
    if root is None:
        return ""
    command = ["git", "-C", str(root), *arguments]
    try:
        return check_output(command, stderr=DEVNULL, text=True, timeout=60).strip()
    except (OSError, SubprocessError) as error:
        if strict:
            raise UserError(f"git does not answer ({error}); nothing was changed") from error
        return ""
