"""Versions of the registered model: found by the hash of their files, named by aliases."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stages.lib.tracking import address, find, journal, logged_model, record
from stages.lib.tracking.journal import UNSENT
from stages.lib.tracking.store import Store, Target, connect, lock, stores
from stages.lib.tracking.version import CONTENT, Version

CHAMPION = "champion"
LINEAGE = ("git.", "input.", "code.", "dvc.")  # tags that a version takes over from its run


Decide = Callable[[Version, Version | None], str]


def register(
    name: str, folder: Path, *, run_id: str, content_hash: str, metrics: Mapping[str, float]
) -> Version:
    """Make the model in `folder` a version of `name`, once for each `content_hash`.

    It goes where its run is. When no store that answers has the run, or the run lacks the
    model, the model is logged from `folder`. `metrics` are kept as tags of the version.
    """
    target = find.run(run_id) or journal.stand_in(run_id)
    marks = {UNSENT: "true"} if target.store.unsent else {}
    record.tags(target, marks)
    run_tags = target.store.client.get_run(target.run_id).data.tags
    tags = {key: value for key, value in run_tags.items() if key.startswith(LINEAGE)}
    tags |= {key: repr(float(value)) for key, value in metrics.items()}
    tags |= {CONTENT: content_hash, "run_id": target.run_id, **marks}
    return ensure(name, target, lambda: logged_model.log(target, folder, None, 0), tags)


def ensure(name: str, target: Target, model: Callable[[], str], tags: Mapping[str, str]) -> Version:
    """The version whose content hash `tags` say; made of the logged model when it is missing."""
    with lock("registry"):
        present = find_in(target.store, name, tags[CONTENT])
        number = present.number if present else _create(name, target, model(), tags)
        return update(target.store, name, number, tags)


def update(store: Store, name: str, number: int, tags: Mapping[str, str]) -> Version:
    """Set the tags of a version that differ. Returns it as it is then."""
    client = store.client
    present = client.get_model_version(name, str(number)).tags
    for key, value in tags.items():
        if present.get(key) != value:
            client.set_model_version_tag(name, str(number), key, value)
    return Version.of(store, client.get_model_version(name, str(number)))


def _create(name: str, target: Target, model_id: str, tags: Mapping[str, str]) -> int:
    from mlflow.exceptions import MlflowException

    client = target.store.client
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    with _default(target.store):
        made = client.create_model_version(
            name, f"models:/{model_id}", target.run_id, dict(tags), model_id=model_id
        )
    return int(made.version)


@contextmanager
def _default(store: Store) -> Iterator[None]:
    """Make `store` MLflow's default for a moment.

    MLflow's SQL registry looks up the source of a new version with a client of the default
    store, whichever client was asked.
    """
    import mlflow

    before = os.environ.get(address.VARIABLE)
    mlflow.set_tracking_uri(store.uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # takes the variable away too
        if before is not None:
            os.environ[address.VARIABLE] = before


def find_version(name: str, content_hash: str) -> Version | None:
    """The version of `name` with these bytes, in the first store that has one."""
    found = (find_in(store, name, content_hash) for store in stores())
    return next((version for version in found if version is not None), None)


def find_in(store: Store, name: str, content_hash: str) -> Version | None:
    """The version of `name` with these bytes in one store."""
    return next((v for v in all_in(store, name) if v.content_sha256 == content_hash), None)


def all_in(store: Store, name: str) -> list[Version]:
    """The versions of `name` in one store, newest first."""
    client, found, token = store.client, [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found += [client.get_model_version(v.name, v.version) for v in page]  # with aliases
        token = page.token
        if not token:
            return sorted((Version.of(store, v) for v in found), key=lambda v: -v.number)


def versions(name: str) -> list[Version]:
    """Every version of `name`, newest first; those that wait to be sent come at the top."""
    first, *others = stores()
    waiting = [v for store in others for v in all_in(store, name) if v.tags.get(UNSENT) == "true"]
    return waiting + all_in(first, name)


def champion(name: str, store: Store | None = None) -> Version | None:
    """The version with the alias `champion`, in `store` or else the one in use."""
    from mlflow.exceptions import MlflowException

    where = store or connect()
    try:
        return Version.of(where, where.client.get_model_version_by_alias(name, CHAMPION))
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def promote(version: Version, decide: Decide) -> str:
    """Give `version` the alias that `decide` says against the champion of its own store.

    The champion stays champion when its own bytes are registered again.
    """
    best = champion(version.name, version.store)
    itself = best is not None and best.number == version.number
    alias = CHAMPION if itself else decide(version, best)
    set_alias(version, alias)
    return alias


def set_alias(version: Version, alias: str) -> None:
    """Make `alias` mean `version`; another version that had it loses it."""
    version.store.client.set_registered_model_alias(version.name, alias, str(version.number))
