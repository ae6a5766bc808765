"""Build a registered version again from a commit alone and compare the bytes; repeat a run.

Both work in a temporary clone of this checkout.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digits.inference import model_integrity, model_manifest
from digits.project import atomic_files, dvc_storage, git_revisions, params_file, workspace
from digits.project.errors import UserError
from digits.registry import version_lookup
from digits.registry.model_version import DVC_TAG, RegisteredVersion
from digits.tracking import logged_model, run_context, run_lookup, store_uri
from digits.tracking.tracking_store import StoredRun, TrackingStore, translate_errors

RAW_DATA = "data/raw"  # the only output that cannot be built without a network
# What decides the last bits besides code, data and parameters: tags of a run.
DECISIVE_TAGS = ("env.cpu", "env.python", "env.torch")
RERUN_TAG = "digits.rerun_of"  # of a repeated run: the id of the first one
DIFF = "source.diff"
SCORES = ("validation_accuracy", "test_accuracy")


def rebuild_version(reference: str) -> int:
    """Build a version again and print whether it has the same bytes; 0 if so, else 2.

    Prints beforehand what can make a difference. Everything happens in a temporary clone
    with a cache and a tracking store of its own. Raises UserError when the version names no
    commit that is here, or when the build fails.
    """
    root, version = workspace.state_root(), version_lookup.find_version(reference)
    if version.commit in {run_context.NO_COMMIT, "unknown"}:
        found = f"version {version.number} was built outside of git"
        raise UserError(f"{found}, so there is nothing to rebuild it from; choose another")
    commit = commit_with_model(version) or git_revisions.resolve_commit(version.commit)
    for difference in possible_differences(version, commit):
        print(f"note: {difference}", flush=True)
    with tempfile.TemporaryDirectory(prefix="digits-rebuild-") as scratch:
        clone = Path(scratch) / "digits"
        _clone(root, commit, clone)
        # quiet: its advice what to add and push is about a clone that nobody ever sees
        _run(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "train")
        equal = is_same_model(version, clone)
    outcome = "equal bytes" if equal else "other bytes"
    print(f"version {version.number}, rebuilt from {commit[:10]}: {outcome}")
    return 0 if equal else 2


def commit_with_model(version: RegisteredVersion) -> str | None:
    """Find the first commit with the model of a version that was built before its commit.

    A value that was changed, built and then committed with the results is only in that commit.
    """
    if version.tags.get("git.dirty") != "true" or DVC_TAG not in version.tags:
        return None
    return next(reversed(git_revisions.commits_introducing(version.tags[DVC_TAG])), None)


def possible_differences(version: RegisteredVersion, commit: str) -> Iterator[str]:
    """Describe what can make a difference though nothing is wrong, when `commit` is built."""
    if version.tags.get("git.dirty") == "true" and commit == version.commit:
        yield "it was built with uncommitted changes; its commit alone may give other bytes"
    run = run_lookup.find_run(version.run_id)
    tags = run.store.client.get_run(run.run_id).data.tags if run else {}
    current_tags = run_context.environment_tags()
    for name in DECISIVE_TAGS:
        old, new = tags.get(name, "unknown"), current_tags.get(name, "unknown")
        if old != new:
            yield f"{name.removeprefix('env.')} was {old}, here it is {new}: last bits can differ"


def rerun(run_id: str) -> list[dict[str, Any]]:
    """Train and evaluate again with the commit, uncommitted changes and parameters of a run.

    The new run is in the same store; a tag of it names the first one. Returns the id and the
    scores of both, the new one last. Raises UserError if the run's sources are not here.
    """
    root, run = workspace.state_root(), run_lookup.find_run(run_id)
    if run is None:
        raise UserError(f"no run has the id {run_id!r}; `digits ui` and `digits lineage` show ids")
    data = run.store.client.get_run(run.run_id).data
    commit = data.tags.get("git.commit", run_context.NO_COMMIT)
    if commit == run_context.NO_COMMIT:
        raise UserError(f"run {run_id} names no git commit to repeat it from; choose another run")
    try:
        commit = git_revisions.resolve_commit(commit)
    except git_revisions.RevisionNotFoundError:
        found = f"run {run_id} was trained from {commit}, which is not in this clone"
        raise UserError(f"{found}; `git fetch --all` gets the commits of others") from None
    with tempfile.TemporaryDirectory(prefix="digits-rerun-") as scratch:
        clone = Path(scratch) / "digits"
        _clone(root, commit, clone)
        if data.tags.get("git.dirty") == "true":
            _apply_changes(run, clone)
        _set_params(clone / "params.yaml", data.params)
        _run(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "evaluate", store=run.store)
        manifest = atomic_files.read_json(clone / workspace.MODEL_OUTPUT / model_manifest.MANIFEST)
        new = run_lookup.find_in_store(run.store, manifest["run_id"])
    if new is None:
        raise UserError(f"{run.store} did not answer until the end; the new run is lost, try again")
    with translate_errors(run.store):
        new.store.client.set_tag(new.run_id, RERUN_TAG, run.run_id)
        return [_scores(run), _scores(new)]


def _apply_changes(run: StoredRun, clone: Path) -> None:
    """Apply the uncommitted changes of a run to a clone of its commit."""
    found = f"run {run.run_id} was trained with uncommitted changes that are not stored"
    advice = "commit them, then train again"
    if not any(a.path == DIFF for a in run.store.client.list_artifacts(run.run_id)):
        raise UserError(f"{found}: it has no {DIFF}; {advice}")
    diff = logged_model.download_artifact(run.store, f"runs:/{run.run_id}/{DIFF}", clone.parent)
    if names := re.findall(r"^# not in git: (.*)", diff.read_text("utf-8"), re.MULTILINE):
        raise UserError(f"{found}: git did not have {', '.join(names)}; {advice}")
    _run(clone, "git", "apply", "--whitespace=nowarn", str(diff))


def _set_params(path: Path, recorded: dict[str, str]) -> None:
    """Write into params.yaml what a run recorded otherwise, such as the values of a trial."""
    present = run_context.flatten_params(params_file.read_yaml(path))
    changed = {key: text for key, text in recorded.items() if present.get(key, text) != text}
    if changed:
        params_file.write_values(path, {key: _parse(text) for key, text in changed.items()})


def _parse(text: str) -> Any:
    """Undo `run_context.flatten_params` for one value."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _scores(run: StoredRun) -> dict[str, Any]:
    metrics = run.store.client.get_run(run.run_id).data.metrics
    return {"run_id": run.run_id, **{name: metrics.get(name) for name in SCORES}}


def _clone(root: Path, commit: str, clone: Path) -> None:
    """Make a clean checkout of a commit, with the raw data where DVC has them here.

    Their bytes are checked by the clone's own stage `download`.
    """
    # shared: a commit that no branch has any more is there, too
    _run(root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(clone))
    _run(clone, "git", "checkout", "--quiet", "--detach", commit)
    try:
        with dvc_storage.open_revision(commit) as revision:
            revision.get(f"/{RAW_DATA}", str(clone / RAW_DATA), recursive=True)
    except dvc_storage.ObjectNotFoundError:
        print(f"note: {RAW_DATA} is not in DVC's cache; it is downloaded anew", file=sys.stderr)


def _run(folder: Path, *command: str, store: TrackingStore | None = None) -> None:
    """Run a command that reports to no experiment of this checkout, and to no store but `store`."""
    own = ("DVC_",) if store else ("DVC_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    if store:
        environment[store_uri.URI_VARIABLE] = store.uri
    environment |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    # DVC's own folder for this is one that every user of the machine can write to.
    environment["DVC_SITE_CACHE_DIR"] = str(folder / ".dvc" / "tmp" / "site")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    status = subprocess.run(command, cwd=folder, env=environment, stdout=2, check=False).returncode
    if status:
        failed = f"`{' '.join(command[-3:])}` failed in a clean clone, status {status}"
        raise UserError(f"{failed}; its last lines say why")


def is_same_model(version: RegisteredVersion, clone: Path) -> bool:
    """Whether the model in a checkout has the bytes of a version."""
    manifest = model_integrity.check_model(clone / workspace.MODEL_OUTPUT)
    return str(manifest["content_sha256"]) == version.content_sha256
