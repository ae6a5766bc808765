"""Find a registered version by an alias, its number, or the id of a run that made it."""

import difflib
import os
import re

from digits.inference import checkout_model
from digits.project import workspace
from digits.project.errors import UserError
from digits.registry import registration
from digits.registry.model_version import CONTENT_TAG, RUN_TAG_PREFIX, RegisteredVersion
from digits.tracking import run_lookup, store_uri, tracking_store
from digits.tracking.tracking_store import StoreUnavailableError, TrackingStore, found_or_none

RUN_ID_PATTERN = re.compile(r"[0-9a-f]{32}")


class VersionNotFoundError(UserError):
    """The registry has no such version."""


def registered_model_name() -> str:
    """Return the name of the registered model: from params.yaml, or else DIGITS_MODEL_NAME.

    The other values are not checked: a mistake among them does not concern who reads models.
    """
    if workspace.find_state_root() is None:
        return os.environ.get(workspace.NAME_VARIABLE) or "digits"
    from digits.project import params_file  # 0.1 s: a reader of YAML

    path = workspace.checkout_root() / "params.yaml"
    try:
        name = params_file.read_yaml(path)["register"]["name"]
    except (LookupError, TypeError):
        name = None
    return name if isinstance(name, str) else params_file.load_params(path).register_.name


def open_registry() -> TrackingStore:
    """Return the configured registry, or else the embedded one.

    The embedded store never stands in for a server: its versions are other versions. Raises
    StoreUnavailableError when the configured one does not answer.
    """
    store = tracking_store.current_store()
    if store.embedded:
        return store
    file = store_uri.sqlite_file(store.uri)
    is_missing = store_uri.uri_scheme(store.uri) == "sqlite" and not file.exists()
    problem = "there is no such file" if is_missing else store_uri.connection_problem(store.uri)
    if problem is not None:
        raise StoreUnavailableError(f"{store} does not answer ({problem}); try again later")
    return store


def find_version(reference: str, store: TrackingStore | None = None) -> RegisteredVersion:
    """Find the version that `reference` names: `champion`, `3` or the id of a run that made it.

    Raises VersionNotFoundError with similar names, and StoreUnavailableError.
    """
    name = registered_model_name()
    store = store or open_registry()
    if _is_unused(store):
        raise VersionNotFoundError(explain_no_versions(store, name))
    with tracking_store.translate_errors(store):
        version = _find(store, name, reference)
        if version is None:
            raise VersionNotFoundError(_suggest_versions(store, name, reference))
    return version


def _find(store: TrackingStore, name: str, reference: str) -> RegisteredVersion | None:
    """Find the newest version that a run, or its copy on the server, made; else by number or alias.

    A run id has 32 hexadecimal digits, a number only decimal ones; all else is an alias.
    """
    client = store.client
    if RUN_ID_PATTERN.fullmatch(reference):
        run = run_lookup.find_in_store(store, reference)
        for run_id in (reference, run.run_id if run else reference):
            condition = f"tags.`{RUN_TAG_PREFIX}{run_id}` = 'true'"
            if versions := registration.list_versions(store, name, condition):
                return versions[0]
    if reference.isdecimal():
        version = found_or_none(lambda: client.get_model_version(name, str(int(reference))))
    else:
        version = found_or_none(lambda: client.get_model_version_by_alias(name, reference))
    return None if version is None else RegisteredVersion.from_mlflow(store, version)


def _is_unused(store: TrackingStore) -> bool:
    """Whether the embedded store is missing: asking it would make it, which takes seconds."""
    return store.embedded and not store_uri.sqlite_file(store.uri).exists()


def find_registration(name: str, content: str) -> RegisteredVersion | None:
    """Find the version of `name` with these bytes in the registry in use.

    Raises StoreUnavailableError.
    """
    store = open_registry()
    if _is_unused(store):
        return None
    with tracking_store.translate_errors(store):
        return registration.find_by_content(store, name, content)


def explain_no_versions(store: TrackingStore, name: str) -> str:
    """Say why `name` has no version in `store`, and what to do.

    A version that this checkout registered may be in another store, be deleted, or belong to a
    registered model that was renamed.
    """
    content = checkout_model.registered_content()
    if content is None:
        return f"the registered model '{name}' has no version yet; `dvc repro` registers one"
    if not _is_unused(store):
        condition = f"tags.`{CONTENT_TAG}` = '{content}'"
        for version in store.client.search_model_versions(condition):
            found = f"it is version {version.version} of '{version.name}' in {store}"
            advice = f"write that name to `register.name` in params.yaml, or rename it to '{name}'"
            return f"this checkout's model is no version of '{name}': {found}; {advice}"
    found = f"the registered model '{name}' has no version in {store}, where it may be deleted"
    return f"{found}; {checkout_model.REGISTER_AGAIN}"


def _suggest_versions(store: TrackingStore, name: str, reference: str) -> str:
    """Say that no version has this name, and which name is similar, or which there are."""
    versions = registration.list_versions(store, name)
    known = [alias for v in versions for alias in v.aliases] + [str(v.number) for v in versions]
    if not known:
        return explain_no_versions(store, name)
    near = difflib.get_close_matches(reference, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known[:5])}"
    return f"the registered model {name!r} has no version {reference!r} in {store}; {hint}"
