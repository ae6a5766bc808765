"""Repeat a training run: from its commit, uncommitted changes and parameters."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from digits.inference import model_manifest
from digits.project import atomic_files, clean_clone, git_revisions, params_file, workspace
from digits.project.errors import UserError
from digits.tracking import logged_model, metric_names, run_context, run_lookup
from digits.tracking.tracking_store import StoredRun, translate_errors

RERUN_TAG = "digits.rerun_of"  # of a repeated run: the id of the first one
DIFF = "source.diff"
SCORES = ("validation/accuracy", "test/accuracy")


def repeat_run(run_id: str) -> list[dict[str, Any]]:
    """Train and evaluate again with the commit, uncommitted changes and parameters of a run.

    The new run is in the same store; a tag of it names the first one. Returns the id and the
    scores of both, the new one last. Raises UserError if the run's sources are not here.
    """
    workspace.state_root()  # needs a checkout
    run = run_lookup.find_run(run_id)
    if run is None:
        raise UserError(f"no run has the id {run_id!r}; `digits ui` and `digits lineage` show ids")
    data = run.store.client.get_run(run.run_id).data
    tags = run_context.unfold_tags(data.tags)
    commit = tags.get("git.commit", run_context.NO_COMMIT)
    if commit == run_context.NO_COMMIT:
        raise UserError(f"run {run_id} names no git commit to repeat it from; choose another run")
    try:
        commit = git_revisions.resolve_commit(commit)
    except git_revisions.RevisionNotFoundError:
        found = f"run {run_id} was trained from {commit}, which is not in this clone"
        raise UserError(f"{found}; `git fetch --all` gets the commits of others") from None
    with tempfile.TemporaryDirectory(prefix="digits-rerun-") as scratch:
        clone = Path(scratch) / "digits"
        clean_clone.clone_commit(commit, clone)
        if tags.get("git.dirty") == "true":
            _apply_changes(run, clone)
        _set_params(clone / "params.yaml", data.params)
        repro = (sys.executable, "-m", "dvc", "repro", "--quiet", "evaluate")
        clean_clone.run_in_clone(clone, *repro, tracking_uri=run.store.uri)
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
    clean_clone.run_in_clone(clone, "git", "apply", "--whitespace=nowarn", str(diff))


def _set_params(path: Path, recorded: dict[str, str]) -> None:
    """Write into params.yaml what a run recorded otherwise, such as the values of a trial."""
    present = run_context.flatten_params(params_file.read_yaml(path))
    changed = {key: text for key, text in recorded.items() if present.get(key, text) != text}
    if changed:
        values = {key: run_context.parse_param(text) for key, text in changed.items()}
        params_file.write_values(path, values)


def _scores(run: StoredRun) -> dict[str, Any]:
    metrics = run.store.client.get_run(run.run_id).data.metrics
    numbers = {name.replace("/", "_"): metric_names.read_metric(metrics, name) for name in SCORES}
    return {"run_id": run.run_id, **numbers}
