"""What people call a registered version: an alias, a number or the id of its run."""

import difflib
import re

from digits.project import params_file, workspace
from digits.project.errors import UserError
from digits.registry import registration
from digits.registry.model_version import RegisteredVersion
from digits.registry.registration import RUN_TAG_PREFIX
from digits.tracking import run_lookup, store_uri
from digits.tracking.tracking_store import (
    StoreUnavailableError,
    TrackingStore,
    embedded_store,
    found_or_none,
    translate_errors,
)

RUN_ID_PATTERN = re.compile(r"[0-9a-f]{32}")


class VersionNotFoundError(UserError):
    """The registry has no such version."""


def registered_model_name() -> str:
    """The registered model of this checkout, from params.yaml."""
    return params_file.load_params(workspace.checkout_root() / "params.yaml").register_.name


def registry_store() -> TrackingStore:
    """The registry to ask: the configured one alone, or else the embedded one.

    Versions of this checkout's own store are other versions than those of a server, so
    nothing stands in for a server. Raises OutageError when it does not answer.
    """
    uri = store_uri.configured_uri()
    if uri is None:
        return embedded_store()
    absent = store_uri.uri_scheme(uri) == "sqlite" and not store_uri.sqlite_file(uri).exists()
    problem = "there is no such file" if absent else store_uri.connection_problem(uri)
    if problem is not None:
        found = f"{store_uri.redact(uri)} does not answer ({problem})"
        raise StoreUnavailableError(f"{found}; try again later")
    return TrackingStore(uri, embedded=False)


def find_version(reference: str, store: TrackingStore | None = None) -> RegisteredVersion:
    """The version that `reference` names: `champion`, `3` or the id of a run that made it.

    Raises UnknownError with near names, and OutageError.
    """
    name = registered_model_name()
    own = store_uri.sqlite_file(
        store_uri.embedded_uri()
    )  # asking it would make it, which takes seconds
    if store is None and store_uri.configured_uri() is None and not own.exists():
        raise VersionNotFoundError(_no_version_message(name))
    where = store or registry_store()
    with translate_errors(where):
        found = _by_run(where, name, reference) or _by_name(where, name, reference)
        if found is None:
            raise VersionNotFoundError(_suggestion(where, name, reference))
    return found


def _no_version_message(name: str) -> str:
    return f"{name} has no version yet; `dvc repro` registers one"


def _by_name(store: TrackingStore, name: str, reference: str) -> RegisteredVersion | None:
    """By number, or else by alias."""
    client = store.client
    if reference.isdecimal():
        found = found_or_none(lambda: client.get_model_version(name, str(int(reference))))
    else:
        found = found_or_none(lambda: client.get_model_version_by_alias(name, reference))
    return None if found is None else RegisteredVersion.of(store, found)


def _by_run(store: TrackingStore, name: str, reference: str) -> RegisteredVersion | None:
    """The newest version that this run made, or its copy on the server."""
    if not RUN_ID_PATTERN.fullmatch(reference):
        return None
    run = run_lookup.find_in_store(store, reference)
    ids = [reference, run.run_id if run else reference]
    made = (
        registration.list_versions(store, name, f"tags.`{RUN_TAG_PREFIX}{i}` = 'true'") for i in ids
    )
    return next((found[0] for found in made if found), None)


def _suggestion(store: TrackingStore, name: str, reference: str) -> str:
    versions = registration.list_versions(store, name)
    known = [alias for v in versions for alias in v.aliases] + [str(v.number) for v in versions]
    if not known:
        return _no_version_message(name)
    near = difflib.get_close_matches(reference, known, 3, 0.5) or known[:5]
    return f"{name} has no version {reference!r} in {store}; choose one of {', '.join(near)}"
