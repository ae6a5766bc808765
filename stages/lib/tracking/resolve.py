"""What people call a registered version: an alias, a number or the id of its run."""

import difflib
import re

from stages.lib import files, params
from stages.lib.errors import UserError
from stages.lib.tracking import address, find, registry
from stages.lib.tracking.registry import MADE_BY
from stages.lib.tracking.store import OutageError, Store, asking, embedded, present
from stages.lib.tracking.version import Version

RUN_ID = re.compile(r"[0-9a-f]{32}")


class UnknownError(UserError):
    """The registry has no such version."""


def model_name() -> str:
    """The registered model of this checkout, from params.yaml."""
    return params.load(files.workspace() / "params.yaml").register_.name


def source() -> Store:
    """The registry to ask: the configured one alone, or else the embedded one.

    Versions of this checkout's own store are other versions than those of a server, so
    nothing stands in for a server. Raises OutageError when it does not answer.
    """
    uri = address.configured()
    if uri is None:
        return embedded()
    absent = address.scheme(uri) == "sqlite" and not address.sqlite_file(uri).exists()
    problem = "there is no such file" if absent else address.trouble(uri)
    if problem is not None:
        found = f"{address.redact(uri)} does not answer ({problem})"
        raise OutageError(f"{found}; try again later")
    return Store(uri, embedded=False)


def version(reference: str, store: Store | None = None) -> Version:
    """The version that `reference` names: `champion`, `3` or the id of a run that made it.

    Raises UnknownError with near names, and OutageError.
    """
    name = model_name()
    own = address.sqlite_file(address.embedded())  # asking it would make it, which takes seconds
    if store is None and address.configured() is None and not own.exists():
        raise UnknownError(_nothing(name))
    where = store or source()
    with asking(where):
        found = _by_run(where, name, reference) or _by_name(where, name, reference)
        if found is None:
            raise UnknownError(_suggestion(where, name, reference))
    return found


def _nothing(name: str) -> str:
    return f"{name} has no version yet; `dvc repro` registers one"


def _by_name(store: Store, name: str, reference: str) -> Version | None:
    """By number, or else by alias."""
    client = store.client
    if reference.isdecimal():
        found = present(lambda: client.get_model_version(name, str(int(reference))))
    else:
        found = present(lambda: client.get_model_version_by_alias(name, reference))
    return None if found is None else Version.of(store, found)


def _by_run(store: Store, name: str, reference: str) -> Version | None:
    """The newest version that this run made, or its copy on the server."""
    if not RUN_ID.fullmatch(reference):
        return None
    run = find.in_store(store, reference)
    ids = [reference, run.run_id if run else reference]
    made = (registry.all_in(store, name, f"tags.`{MADE_BY}{i}` = 'true'") for i in ids)
    return next((found[0] for found in made if found), None)


def _suggestion(store: Store, name: str, reference: str) -> str:
    versions = registry.all_in(store, name)
    known = [alias for v in versions for alias in v.aliases] + [str(v.number) for v in versions]
    if not known:
        return _nothing(name)
    near = difflib.get_close_matches(reference, known, 3, 0.5) or known[:5]
    return f"{name} has no version {reference!r} in {store}; choose one of {', '.join(near)}"
