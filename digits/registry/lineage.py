"""Where a model comes from and where it went: its files, version, run, commit and data.

Accepts every reference that `model_reference` does, and also a version whose files were
removed and a run that registered nothing. The card of a model adds its scores, which are read
in `digits.evaluation.model_card`.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.evaluation import model_card
from digits.evaluation.model_card import Card
from digits.inference import model_integrity, model_manifest
from digits.project import atomic_files, dvc_storage, git_revisions, workspace
from digits.registry import (
    alias_moves,
    artifact_removal,
    model_reference,
    promotion_decision,
    registration,
    version_download,
    version_lookup,
)
from digits.registry.alias_log import CHAMPION, AliasLogEntry, format_time
from digits.registry.model_version import DVC_TAG, REMOVED_TAG, RUN_TAG_PREFIX, RegisteredVersion
from digits.tracking import run_context, run_lookup, store_uri, tracking_store
from digits.tracking.run_context import INPUT_TAG, NO_COMMIT
from digits.tracking.tracking_store import StoreUnavailableError, TrackingStore, translate_errors

if TYPE_CHECKING:
    from mlflow.entities import Run


def trace_lineage(reference: str) -> dict[str, dict[str, Any]]:
    """Return where the model that `reference` names comes from, and where it went, as JSON.

    Where nothing is known, a part is empty. Raises UserError when nothing has that name, or
    for a model that was changed.
    """
    content, run_id, version = _identify(reference)
    version = version or _find_by_content(content)
    stored = run_lookup.find_run(run_id)
    run = stored.store.client.get_run(stored.run_id) if stored else None
    run_tags = run_context.unfold_tags(run.data.tags) if run else {}
    tags = {**(version.tags if version else {}), **run_tags}
    folders = _find_copies(content)
    paths = [str(folder).removeprefix(f"{workspace.work_folder()}/") for folder in folders]
    return {
        "model": {"content_sha256": content, "folders": paths},
        "version": _describe_version(version) if version else {},
        "run": _describe_run(run, stored.store) if stored and run else {"id": run_id},
        "commit": _describe_commit(tags, folders),
        "data": _strip_prefix(tags, INPUT_TAG),
        "params": run.data.params if run else {},
        "tuning": _strip_prefix(tags, "tune."),
        "machine": _strip_prefix(tags, "env."),
    }


def _identify(reference: str) -> tuple[str, str, RegisteredVersion | None]:
    """Return content hash (empty: unknown), run id and, if it is known already, version."""
    try:
        model = model_reference.look_up(reference)
    except (version_lookup.VersionNotFoundError, StoreUnavailableError):
        if version_lookup.RUN_ID_PATTERN.fullmatch(reference) and run_lookup.find_run(reference):
            return "", reference, None
        raise
    if isinstance(model, model_integrity.ResolvedModel):
        return model.content_sha256, str(model.manifest["run_id"]), None
    return model.content_sha256, model.run_id, model


def _find_by_content(content: str) -> RegisteredVersion | None:
    """Find the version with these bytes. None also when the registry does not answer."""
    try:
        store, name = version_lookup.open_registry(), version_lookup.registered_model_name()
        with translate_errors(store):
            return registration.find_by_content(store, name, content)
    except StoreUnavailableError as error:
        store_uri.warn_once(str(error))
    return None


def _describe_version(version: RegisteredVersion) -> dict[str, Any]:
    head = {"name": version.name, "number": version.number, "aliases": list(version.aliases)}
    created, removed = version.created.isoformat(timespec="seconds"), version.tags.get(REMOVED_TAG)
    runs = list(_strip_prefix(version.tags, RUN_TAG_PREFIX))
    return {**head, "files_removed": removed or "", "registered": created, "runs": runs}


def _strip_prefix(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in sorted(tags.items()) if k.startswith(prefix)}


def _describe_run(run: "Run", store: TrackingStore) -> dict[str, Any]:
    head = {"id": run.info.run_id, "name": run.info.run_name, "status": run.info.status}
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC).isoformat(timespec="seconds")
    experiment = run_context.unfold_tags(run.data.tags).get("dvc.experiment", "")
    address = run_lookup.page_address(store, run.info.experiment_id, run.info.run_id)
    head |= {"started": started, "address": address}
    return {**head, "store": str(store), "experiment": experiment}


def _describe_commit(tags: Mapping[str, str], folders: list[Path]) -> dict[str, Any]:
    """Return the commit that was trained from, and whether it lacks some of what was trained.

    `committed_in` are the commits whose dvc.lock brought the model, oldest last.
    """
    oids = {dvc_storage.folder_object_id(folder) for folder in folders}
    if DVC_TAG in tags:
        oids.add(tags[DVC_TAG])  # of a model that is in no folder here
    return {
        "id": tags.get("git.commit", NO_COMMIT),
        "branch": tags.get("git.branch", ""),
        "dirty": tags.get("git.dirty") == "true",
        "committed_in": [c for oid in oids for c in git_revisions.commits_introducing(oid)],
    }


def _find_copies(content: str) -> list[Path]:
    """Return folders with intact copies: the pipeline's output and pulled ones, else the cache."""
    root = workspace.work_folder()
    folders = [root / workspace.MODEL_OUTPUT, *sorted((root / "models" / "pulled").glob("*"))]
    copies = [folder for folder in folders if model_integrity.is_intact(folder, content)]
    cached = version_download.cached_folder(content)
    return copies or ([cached] if model_integrity.is_intact(cached, content) else [])


def write_card(reference: str | None, path: Path) -> str:
    """Write the card of the model that `reference` names to `path`; return its name in words.

    Raises UserError when there is no such model, and as `model_card.check_path` does.
    """
    model_card.check_path(path)
    model = model_reference.resolve(reference)
    model_card.write(build_card(model.folder), model.title, path)
    return model.title


def store_card(version: RegisteredVersion, folder: Path) -> None:
    """Upload the card of the model in `folder` to the files of `version`.

    A version is complete without it: if that fails, standard error says why.
    """
    try:
        card, model = build_card(folder), artifact_removal.logged_model_id(version)
        title = f"{version.name}-{version.number}: {version.description}"
        with tempfile.TemporaryDirectory() as scratch:
            model_card.write(card, title, Path(scratch, version_download.CARD_FILE))
            version.store.client.log_model_artifacts(model, scratch)
    except Exception as error:  # whatever fails in a store
        problem = store_uri.describe_error(error)
        print(f"note: no model card was stored ({problem})", file=sys.stderr)


def build_card(folder: Path) -> Card:
    """Return the model card of the model in `folder`, as JSON values. May take seconds.

    Raises UserError when there is no model. A section that fails is left out, with a note on
    standard error. A tracking store inside the checkout is only read, never created.
    """
    card = model_card.describe_model(atomic_files.read_json(folder / model_manifest.MANIFEST))
    stores = tracking_store.lookup_stores()
    if any(not s.embedded or store_uri.sqlite_file(s.uri).exists() for s in stores):
        for section in _card_sections(folder, card):
            try:
                card |= section()
            except Exception as error:  # the model can be used without its card
                reason = " ".join(str(error).split())[:200]
                print(f"note: the model's page is not complete ({reason})", file=sys.stderr)
    return card


def _card_sections(folder: Path, card: Card) -> Iterator[Callable[[], Card]]:
    """Yield the functions that read the sections of a card; each may fail alone."""
    yield partial(trace_lineage, str(folder))
    yield partial(_promotion, card["model"]["content_sha256"])
    if run := run_lookup.find_run(card["run"]["id"]):
        yield partial(model_card.read_scores, run)
        yield partial(model_card.read_predictions, run)


def _promotion(content: str) -> Card:
    """Return the alias log's entries that gave or took `champion`, and the gate's decision."""
    state = alias_moves.current_alias_state()
    version = registration.find_by_content(state.store, state.name, content)
    if version is None:
        return {}
    changes = [e for e in state.log.changes(CHAMPION) if version.number in e.moves[CHAMPION]]
    rows = [_promotion_row(entry, version.number) for entry in changes]
    decision = promotion_decision.recorded_decision(version.tags)
    if decision is None:
        return {"promotion": rows}
    head, rules = decision.table
    return {"promotion": rows, "gate": {**decision.summary, "head": head, "rows": rules}}


def _promotion_row(entry: AliasLogEntry, number: int) -> dict[str, str]:
    """Return when, by whom and why version `number` became champion or was replaced."""
    what = "made" if entry.moves[CHAMPION][1] == number else "replaced as"
    row = {"when": format_time(entry.when), "who": entry.who, "why": entry.why}
    return row | {"what": f"{what} champion by {entry.action}"}
