"""Versions of the registered model: found by the hash of their files, named by aliases."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from stages.lib import tracked
from stages.lib.tracking import address, journal, logged_model, removal
from stages.lib.tracking.entry import CHAMPION
from stages.lib.tracking.store import OutageError, Store, Target, answers, asking, connect, lock
from stages.lib.tracking.version import CONTENT, DVC_OID, Version, registered

MADE_BY = "run."  # and the id of a run that made these bytes
MOST = 200_000  # versions that one search gives: MLflow's limit
LINEAGE = ("git.", "input.", "code.", "dvc.")  # tags that a version takes over from its run


def register(
    name: str, folder: Path, *, run_id: str, content_hash: str, metrics: Mapping[str, float]
) -> Version:
    """Make the model in `folder` a version of `name`, once for each `content_hash`.

    What waits of its run is written first. `metrics` are kept as tags of the version. Raises
    OutageError when the store fails.
    """
    where = connect()
    with asking(where):
        if not answers(where):
            raise OutageError(f"{where} does not answer")
        with closing(journal.opened(run_id)) as waits:
            waits.write(lambda *_, **__: None)  # an earlier wish to register it comes true now
        assert waits.target is not None  # found or made by `write`
        return publish(waits.target, name, folder, content_hash, metrics)


def publish(
    target: Target, name: str, folder: Path, content_hash: str, metrics: Mapping[str, float]
) -> Version:
    """As `register`, for the run `target`; a run that lacks the model gets it from `folder`."""
    tags = target.store.client.get_run(target.run_id).data.tags
    lineage = {key: value for key, value in tags.items() if key.startswith(LINEAGE)}
    numbers = {key: repr(float(value)) for key, value in metrics.items()}
    oid = tracked.folder_oid(folder)
    first = {"run_id": target.run_id, CONTENT: content_hash, DVC_OID: oid, **lineage}
    always = {f"{MADE_BY}{target.run_id}": "true", **numbers}
    with lock("registry"):
        version = find_in(target.store, name, content_hash)
        if version is None:
            return _create(name, target, logged_model.log(target, folder), {**first, **always})
        version = tag(version, always)
    if removal.REMOVED in version.tags:
        with tempfile.TemporaryDirectory() as scratch:
            logged_model.pack(folder, Path(scratch))
            removal.restore(version, Path(scratch))
    return version


def tag(version: Version, tags: Mapping[str, str]) -> Version:
    """Give a version those of `tags` that it lacks; return it as it is then."""
    client, number = version.store.client, str(version.number)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, number, key, value)
    return replace(version, tags={**version.tags, **tags})


def _create(name: str, target: Target, model_id: str, tags: Mapping[str, str]) -> Version:
    client = target.store.client
    if registered(target.store, name) is None:
        client.create_registered_model(name)
    with _default(target.store):
        made = client.create_model_version(
            name, f"models:/{model_id}", target.run_id, dict(tags), model_id=model_id
        )
    return Version.of(target.store, made)


@contextmanager
def _default(store: Store) -> Iterator[None]:
    """Make `store` MLflow's default for a moment.

    MLflow's SQL registry looks up the source of a new version with a client of the default
    store, whichever client was asked.
    """
    before = os.environ.get(address.VARIABLE, "")  # where it is empty, nothing is configured
    os.environ[address.VARIABLE] = store.uri
    try:
        yield
    finally:
        os.environ[address.VARIABLE] = before


def find_in(store: Store, name: str, content_hash: str) -> Version | None:
    """The version of `name` with these bytes in one store."""
    found = all_in(store, name, f"tags.`{CONTENT}` = '{content_hash}'")
    return found[-1] if found else None


def all_in(store: Store, name: str, *conditions: str) -> list[Version]:
    """The versions of `name` in one store that meet all `conditions`, newest first.

    A search leaves their aliases out; the registered model has all of them.
    """
    model = registered(store, name)
    if model is None:
        return []
    condition = " and ".join([f"name = '{name}'", *conditions])
    hits = store.client.search_model_versions(condition, MOST, ["version_number DESC"])
    named = [(int(number), alias) for alias, number in model.aliases.items()]
    return [Version.of(store, v, [a for n, a in named if n == int(v.version)]) for v in hits]


def champion(store: Store, name: str) -> Version | None:
    """The version of `name` in one store that has the alias `champion`."""
    return next((v for v in all_in(store, name) if CHAMPION in v.aliases), None)
