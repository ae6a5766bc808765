"""Build a registered version again from a commit alone, and compare the bytes."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from digits.inference import model_integrity
from digits.project import clean_clone, git_revisions, workspace
from digits.project.errors import UserError
from digits.registry import version_lookup
from digits.registry.model_version import DVC_TAG, RegisteredVersion
from digits.tracking import run_context, run_lookup

# What decides the last bits besides code, data and parameters: tags of a run.
DECISIVE_TAGS = ("env.cpu", "env.python", "env.torch")


def rebuild_version(reference: str) -> int:
    """Build a version again and print whether it has the same bytes; 0 if so, else 2.

    Prints beforehand what can make a difference. Everything happens in a temporary clone
    with a cache and a tracking store of its own. Raises UserError when the version names no
    commit that is here, or when the build fails.
    """
    workspace.state_root()  # needs a checkout
    version = version_lookup.find_version(reference)
    if version.commit in {run_context.NO_COMMIT, "unknown"}:
        found = f"version {version.number} was built outside of git"
        raise UserError(f"{found}, so there is nothing to rebuild it from; choose another")
    commit = commit_to_build(version)
    for difference in possible_differences(version, commit):
        print(f"note: {difference}", flush=True)
    with tempfile.TemporaryDirectory(prefix="digits-rebuild-") as scratch:
        clone = Path(scratch) / "digits"
        clean_clone.clone_commit(commit, clone)
        # quiet: its advice what to add and push is about a clone that nobody ever sees
        clean_clone.run_in_clone(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "train")
        equal = is_same_model(version, clone)
    outcome = "equal bytes" if equal else "other bytes"
    print(f"version {version.number}, rebuilt from {commit[:10]}: {outcome}")
    return 0 if equal else 2


def commit_to_build(version: RegisteredVersion) -> str:
    """Return the commit with the sources of a version: its own, or the first with its model.

    The second where it was built before its commit: a value that was changed, built and then
    committed with the results is only in that one. And where its own is gone, because its branch
    was deleted, squashed or rebased. Raises UserError when there is neither.
    """
    oid = version.tags.get(DVC_TAG, "")
    with_model = next(reversed(git_revisions.commits_introducing(oid)), None) if oid else None
    if with_model and version.tags.get("git.dirty") == "true":
        return with_model
    try:
        return git_revisions.resolve_commit(version.commit)
    except git_revisions.RevisionNotFoundError as error:
        if with_model:
            return with_model
        found = f"version {version.number} cannot be rebuilt: {error}"
        raise UserError(f"{found}, and no dvc.lock in git has its model") from error


def possible_differences(version: RegisteredVersion, commit: str) -> Iterator[str]:
    """Describe what can make a difference though nothing is wrong, when `commit` is built."""
    if version.tags.get("git.dirty") != "true" and commit != version.commit:
        yield f"its commit {version.commit[:10]} is gone from git; {commit[:10]} has its model"
    if version.tags.get("git.dirty") == "true" and commit == version.commit:
        yield "it was built with uncommitted changes; its commit alone may give other bytes"
    run = run_lookup.find_run(version.run_id)
    tags = run.store.client.get_run(run.run_id).data.tags if run else {}
    tags = run_context.unfold_tags(tags)
    current_tags = run_context.environment_tags()
    for name in DECISIVE_TAGS:
        old, new = tags.get(name, "unknown"), current_tags.get(name, "unknown")
        if old != new:
            yield f"{name.removeprefix('env.')} was {old}, here it is {new}: last bits can differ"


def is_same_model(version: RegisteredVersion, clone: Path) -> bool:
    """Whether the model in a checkout has the bytes of a version."""
    manifest = model_integrity.check_model(clone / workspace.MODEL_OUTPUT)
    return str(manifest["content_sha256"]) == version.content_sha256
