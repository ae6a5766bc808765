"""Make a model a version of the registered model, once for the same bytes; list versions.

Which alias a version gets is in `promotion`; how a person's reference finds one is in
`version_lookup`.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from digits.project import dvc_storage
from digits.project.process_locks import process_lock
from digits.registry import artifact_removal, model_version
from digits.registry.alias_log import CHAMPION
from digits.registry.model_version import RUN_TAG_PREFIX, RegisteredVersion, find_registered_model
from digits.tracking import (
    journal_folders,
    logged_model,
    run_context,
    run_lookup,
    run_summary,
    run_writer,
    store_uri,
    tracking_store,
)
from digits.tracking.tracking_store import StoredRun, StoreUnavailableError, TrackingStore

MAX_SEARCH_RESULTS = 200_000  # versions that one search gives: MLflow's limit
LINEAGE_TAG_PREFIXES = ("git.", "input.", "code.", "dvc.")  # of tags taken over from the run
MODEL_DESCRIPTION = """\
Networks that classify images: the pixels of an image in, a number for each class out. Each \
version is a model of another training. `champion` is the version that serves, `challenger` the \
newest one that the promotion rules did not make champion.

`digits predict --model champion IMAGE` reads an image, `digits serve` starts the service, and \
`digits history` lists who moved an alias, when and why. `digits rollback --reason TEXT` makes \
the champion before the present one champion again."""

USE = """\
`digits predict --model {0} IMAGE` reads an image, `digits serve --model {0}` starts the service, \
and `digits pull {0}` downloads the files. `digits promote {0} --reason TEXT` makes this version \
champion; `digits rollback --reason TEXT` goes back to the champion before."""


def register_version(name: str, folder: Path, *, run_id: str, **contents: Any) -> RegisteredVersion:
    """Make the model in `folder` a version of `name`, once for each content hash.

    The pending entries of the run are written first. `contents` are the other arguments of
    `publish_version`. Raises StoreUnavailableError when the store fails.
    """
    store = tracking_store.current_store()
    with tracking_store.translate_errors(store):
        if not tracking_store.is_reachable(store):
            raise StoreUnavailableError(f"{store} does not answer")
        with closing(journal_folders.open_journal(run_id)) as journal:
            journal.write(lambda *_, **__: None)  # a registration that waits is made below
        assert journal.target is not None  # found or made by `write`
        return publish_version(journal.target, name, folder, **contents)


def publish_version(
    target: StoredRun, name: str, folder: Path, content_hash: str, metrics: Mapping[str, float]
) -> RegisteredVersion:
    """Make the model in `folder` a version from the run `target`, once for each `content_hash`.

    The model is uploaded if the run lacks it. A new version takes over the run's description,
    recipe and lineage. `metrics` are kept as tags of the version.
    """
    origin = run_context.unfold_tags(target.store.client.get_run(target.run_id).data.tags)
    scores = {key: repr(float(value)) for key, value in metrics.items()}
    content = {model_version.CONTENT_TAG: content_hash}
    made_by = {f"{RUN_TAG_PREFIX}{target.run_id}": "true"}
    with process_lock("registry"):
        version = find_by_content(target.store, name, content_hash)
        if version is None:
            model_id = logged_model.log_model(target, folder)
            recipe = {key: origin[key] for key in run_summary.PEOPLE_TAGS if key in origin}
            tags = {**recipe, **scores, **content, **_lineage_tags(origin, folder), **made_by}
            made = _create(name, target, model_id, tags, origin.get(tracking_store.NOTE_TAG))
            version = find_by_content(target.store, name, content_hash) or made
            if version.number >= made.number:
                return made
            # another checkout was faster, between the two searches
            target.store.client.delete_model_version(name, str(made.number))
        version = tag_version(version, {**scores, **made_by})
    if model_version.REMOVED_TAG in version.tags:
        with tempfile.TemporaryDirectory() as scratch:
            logged_model.pack_model(folder, Path(scratch))
            artifact_removal.restore_files(version, Path(scratch))
    return version


def _lineage_tags(origin: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the tags by which programs find out where a version comes from."""
    lineage = {key: value for key, value in origin.items() if key.startswith(LINEAGE_TAG_PREFIXES)}
    lineage[model_version.DVC_TAG] = dvc_storage.folder_object_id(folder)
    return run_context.fold_tags(lineage)


def describe_gate(version: RegisteredVersion, verdict: str, text: str) -> None:
    """Write the gate's verdict on `version` into its description and to the runs that made it."""
    client, number = version.store.client, str(version.number)
    old = note = client.get_model_version(version.name, number).description or ""
    for title, paragraph in {"Gate": text, "Use": USE.format(number)}.items():
        note = run_summary.replace_paragraph(note, title, paragraph)
    if note != old:
        client.update_model_version(version.name, number, note)
    text = f"Version {number} of {version.name}. {text}"
    made_by = [k.removeprefix(RUN_TAG_PREFIX) for k in version.tags if k.startswith(RUN_TAG_PREFIX)]
    for run in filter(None, (run_lookup.find_in_store(version.store, i) for i in made_by)):
        if run.store.client.get_run(run.run_id).data.tags.get(run_summary.GATE_TAG) != verdict:
            run_writer.set_tags(run, {run_summary.GATE_TAG: verdict})
            run_writer.describe_run(run, "Gate", text)


def tag_version(version: RegisteredVersion, tags: Mapping[str, str]) -> RegisteredVersion:
    """Give a version those of `tags` that it lacks; return it with them."""
    client, number = version.store.client, str(version.number)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, number, key, value)
    return replace(version, tags={**version.tags, **tags})


def _create(
    name: str, target: StoredRun, model_id: str, tags: dict[str, str], description: str | None
) -> RegisteredVersion:
    client, uri = target.store.client, f"models:/{model_id}"
    model = find_registered_model(target.store, name)
    if model is None:
        client.create_registered_model(name, description=MODEL_DESCRIPTION)
    elif not model.description:  # it is older than descriptions
        client.update_registered_model(name, MODEL_DESCRIPTION)
    with _as_default_store(target.store):
        known = {"description": description, "model_id": model_id}
        version = client.create_model_version(name, uri, target.run_id, tags, **known)
    return RegisteredVersion.from_mlflow(target.store, version)


@contextmanager
def _as_default_store(store: TrackingStore) -> Iterator[None]:
    """Make `store` MLflow's default for a moment.

    MLflow's SQL registry looks up the source of a new version with a client of the default
    store, whichever client was asked.
    """
    before = os.environ.get(store_uri.URI_VARIABLE, "")  # where it is empty, nothing is configured
    os.environ[store_uri.URI_VARIABLE] = store.uri
    try:
        yield
    finally:
        os.environ[store_uri.URI_VARIABLE] = before


def find_by_content(store: TrackingStore, name: str, content_hash: str) -> RegisteredVersion | None:
    """Find the version of `name` with these bytes in one store."""
    versions = list_versions(store, name, f"tags.`{model_version.CONTENT_TAG}` = '{content_hash}'")
    return versions[-1] if versions else None


def list_versions(store: TrackingStore, name: str, *conditions: str) -> list[RegisteredVersion]:
    """Return the versions of `name` in one store that meet all `conditions`, newest first.

    A search leaves their aliases out; the registered model has all of them.
    """
    model = find_registered_model(store, name)
    if model is None:
        return []
    condition, order = " and ".join([f"name = '{name}'", *conditions]), ["version_number DESC"]
    rows = store.client.search_model_versions(condition, MAX_SEARCH_RESULTS, order)
    return [RegisteredVersion.from_mlflow(store, row, model.aliases) for row in rows]


def find_champion(store: TrackingStore, name: str) -> RegisteredVersion | None:
    """Find the version of `name` in one store that has the alias `champion`."""
    return next((v for v in list_versions(store, name) if CHAMPION in v.aliases), None)
