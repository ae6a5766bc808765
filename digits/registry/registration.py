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

from digits.project import dvc_storage
from digits.project.process_locks import process_lock
from digits.registry import artifact_removal, model_version
from digits.registry.alias_log import CHAMPION
from digits.registry.model_version import RUN_TAG_PREFIX, RegisteredVersion, find_registered_model
from digits.tracking import journal_folders, logged_model, store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun, StoreUnavailableError, TrackingStore

MAX_SEARCH_RESULTS = 200_000  # versions that one search gives: MLflow's limit
LINEAGE_TAG_PREFIXES = ("git.", "input.", "code.", "dvc.")  # of tags taken over from the run


def register_version(
    name: str, folder: Path, *, run_id: str, content_hash: str, metrics: Mapping[str, float]
) -> RegisteredVersion:
    """Make the model in `folder` a version of `name`, once for each `content_hash`.

    The pending entries of the run are written first. `metrics` are kept as tags of the
    version. Raises StoreUnavailableError when the store fails.
    """
    store = tracking_store.current_store()
    with tracking_store.translate_errors(store):
        if not tracking_store.is_reachable(store):
            raise StoreUnavailableError(f"{store} does not answer")
        with closing(journal_folders.open_journal(run_id)) as journal:
            journal.write(lambda *_, **__: None)  # a registration that waits is made below
        assert journal.target is not None  # found or made by `write`
        return publish_version(journal.target, name, folder, content_hash, metrics)


def publish_version(
    target: StoredRun, name: str, folder: Path, content_hash: str, metrics: Mapping[str, float]
) -> RegisteredVersion:
    """Make the model in `folder` a version from the run `target`, once for each `content_hash`.

    The model is uploaded if the run lacks it.
    """
    tags = target.store.client.get_run(target.run_id).data.tags
    lineage = {key: value for key, value in tags.items() if key.startswith(LINEAGE_TAG_PREFIXES)}
    oid = dvc_storage.folder_object_id(folder)
    first = {
        "run_id": target.run_id,
        model_version.CONTENT_TAG: content_hash,
        model_version.DVC_TAG: oid,
        **lineage,
    }
    always = {f"{RUN_TAG_PREFIX}{target.run_id}": "true"}
    always |= {key: repr(float(value)) for key, value in metrics.items()}
    with process_lock("registry"):
        version = find_by_content(target.store, name, content_hash)
        if version is None:
            model_id = logged_model.log_model(target, folder)
            return _create(name, target, model_id, {**first, **always})
        version = tag_version(version, always)
    if model_version.REMOVED_TAG in version.tags:
        with tempfile.TemporaryDirectory() as scratch:
            logged_model.pack_model(folder, Path(scratch))
            artifact_removal.restore_files(version, Path(scratch))
    return version


def tag_version(version: RegisteredVersion, tags: Mapping[str, str]) -> RegisteredVersion:
    """Give a version those of `tags` that it lacks; return it with them."""
    client, number = version.store.client, str(version.number)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, number, key, value)
    return replace(version, tags={**version.tags, **tags})


def _create(name: str, target: StoredRun, model_id: str, tags: dict[str, str]) -> RegisteredVersion:
    client, uri = target.store.client, f"models:/{model_id}"
    if find_registered_model(target.store, name) is None:
        client.create_registered_model(name)
    with _as_default_store(target.store):
        version = client.create_model_version(name, uri, target.run_id, tags, model_id=model_id)
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
