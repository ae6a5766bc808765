"""Versions of the registered model: found by the hash of their files, named by aliases."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from digits.project import dvc_storage
from digits.project.process_locks import process_lock
from digits.registry import artifact_removal
from digits.registry.alias_log import CHAMPION
from digits.registry.model_version import (
    CONTENT_TAG,
    DVC_TAG,
    RegisteredVersion,
    find_registered_model,
)
from digits.tracking import journal_folders, logged_model, store_uri
from digits.tracking.tracking_store import (
    StoredRun,
    StoreUnavailableError,
    TrackingStore,
    current_store,
    is_reachable,
    translate_errors,
)

RUN_TAG_PREFIX = "run."  # and the id of a run that made these bytes
MAX_SEARCH_RESULTS = 200_000  # versions that one search gives: MLflow's limit
LINEAGE_TAG_PREFIXES = (
    "git.",
    "input.",
    "code.",
    "dvc.",
)  # tags that a version takes over from its run


def register_version(
    name: str, folder: Path, *, run_id: str, content_hash: str, metrics: Mapping[str, float]
) -> RegisteredVersion:
    """Make the model in `folder` a version of `name`, once for each `content_hash`.

    What waits of its run is written first. `metrics` are kept as tags of the version. Raises
    OutageError when the store fails.
    """
    where = current_store()
    with translate_errors(where):
        if not is_reachable(where):
            raise StoreUnavailableError(f"{where} does not answer")
        with closing(journal_folders.open_journal(run_id)) as waits:
            waits.write(lambda *_, **__: None)  # an earlier wish to register it comes true now
        assert waits.target is not None  # found or made by `write`
        return publish_version(waits.target, name, folder, content_hash, metrics)


def publish_version(
    target: StoredRun, name: str, folder: Path, content_hash: str, metrics: Mapping[str, float]
) -> RegisteredVersion:
    """As `register`, for the run `target`; a run that lacks the model gets it from `folder`."""
    tags = target.store.client.get_run(target.run_id).data.tags
    lineage = {key: value for key, value in tags.items() if key.startswith(LINEAGE_TAG_PREFIXES)}
    numbers = {key: repr(float(value)) for key, value in metrics.items()}
    oid = dvc_storage.folder_object_id(folder)
    first = {"run_id": target.run_id, CONTENT_TAG: content_hash, DVC_TAG: oid, **lineage}
    always = {f"{RUN_TAG_PREFIX}{target.run_id}": "true", **numbers}
    with process_lock("registry"):
        version = find_by_content(target.store, name, content_hash)
        if version is None:
            return _create(
                name, target, logged_model.log_model(target, folder), {**first, **always}
            )
        version = tag_version(version, always)
    if artifact_removal.REMOVED_TAG in version.tags:
        with tempfile.TemporaryDirectory() as scratch:
            logged_model.pack_model(folder, Path(scratch))
            artifact_removal.restore_files(version, Path(scratch))
    return version


def tag_version(version: RegisteredVersion, tags: Mapping[str, str]) -> RegisteredVersion:
    """Give a version those of `tags` that it lacks; return it as it is then."""
    client, number = version.store.client, str(version.number)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, number, key, value)
    return replace(version, tags={**version.tags, **tags})


def _create(
    name: str, target: StoredRun, model_id: str, tags: Mapping[str, str]
) -> RegisteredVersion:
    client = target.store.client
    if find_registered_model(target.store, name) is None:
        client.create_registered_model(name)
    with _as_default_store(target.store):
        made = client.create_model_version(
            name, f"models:/{model_id}", target.run_id, dict(tags), model_id=model_id
        )
    return RegisteredVersion.of(target.store, made)


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
    """The version of `name` with these bytes in one store."""
    found = list_versions(store, name, f"tags.`{CONTENT_TAG}` = '{content_hash}'")
    return found[-1] if found else None


def list_versions(store: TrackingStore, name: str, *conditions: str) -> list[RegisteredVersion]:
    """The versions of `name` in one store that meet all `conditions`, newest first.

    A search leaves their aliases out; the registered model has all of them.
    """
    model = find_registered_model(store, name)
    if model is None:
        return []
    condition = " and ".join([f"name = '{name}'", *conditions])
    hits = store.client.search_model_versions(
        condition, MAX_SEARCH_RESULTS, ["version_number DESC"]
    )
    named = [(int(number), alias) for alias, number in model.aliases.items()]
    return [
        RegisteredVersion.of(store, v, [a for n, a in named if n == int(v.version)]) for v in hits
    ]


def find_champion(store: TrackingStore, name: str) -> RegisteredVersion | None:
    """The version of `name` in one store that has the alias `champion`."""
    return next((v for v in list_versions(store, name) if CHAMPION in v.aliases), None)
