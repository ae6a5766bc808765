"""The address of the tracking store: read it, and test whether the store answers.

Messages are freed from secrets here. The stores themselves are in `tracking_store`.
"""

import os
import re
import sys
import textwrap
import threading
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import unquote, urlsplit

from digits.project import workspace
from digits.project.errors import UserError
from digits.tracking import store_errors

URI_VARIABLE = "MLFLOW_TRACKING_URI"
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
TIMEOUT_SECONDS = 3.0  # for all attempts to connect together
WARNED: set[str] = set()  # the topics that this process has warned of


def embedded_uri() -> str:
    """Return the address of the store inside this checkout.

    Raises UserError outside of one, and in a folder whose name MLflow would take for another.
    """
    root = workspace.state_root()
    if character := next((c for c in "?%" if c in str(root)), ""):
        found = f"the path of the checkout, {root}, has a {character}"
        raise UserError(f"{found}, which MLflow's addresses cannot hold; rename the folder")
    return f"sqlite:///{root / 'mlflow.db'}"


def configured_uri() -> str | None:
    """The store that MLFLOW_TRACKING_URI names; None when that is the embedded one.

    Relative sqlite paths count from the checkout's root, outside of one from the working
    directory. Raises UserError for an address that is no tracking store.
    """
    value = os.environ.get(URI_VARIABLE, "").strip()
    if not value:
        return None
    root = workspace.find_state_root()
    is_hosted = uri_scheme(value) in {"http", "https", *PORTS} and urlsplit(value).netloc
    is_file = value.startswith("sqlite:///") and sqlite_file(value).name not in {"", ":memory:"}
    if not is_hosted and not is_file:
        hint = "expected http://HOST:PORT, https://HOST, postgresql://HOST/NAME or sqlite:///FILE"
        raise UserError(f"{URI_VARIABLE} is {redact(value)!r}; {hint}; correct or unset it")
    if is_file:
        value = f"sqlite:///{(root or Path.cwd()) / sqlite_file(value)}"
    return None if root is not None and value == embedded_uri() else value


def uri_scheme(uri: str) -> str:
    """The kind of store: `postgresql` for postgresql+psycopg://..."""
    scheme, separator, _ = uri.partition("://")
    return scheme.partition("+")[0].lower() if separator else ""


def sqlite_file(uri: str) -> Path:
    """The file behind a sqlite address."""
    return Path(unquote(uri.removeprefix("sqlite:///").split("?")[0]))


def connection_problem(uri: str) -> str | None:
    """Describe why the store at `uri` cannot be used now; None when it answers.

    A thread connects, because looking up a host name has no time limit.
    """
    import queue

    import requests  # noqa: F401  # in the thread nobody would learn that it is not installed

    results: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=lambda: results.put(_probe(uri)), daemon=True).start()
    try:
        return results.get(timeout=TIMEOUT_SECONDS)
    except queue.Empty:
        return f"no answer within {TIMEOUT_SECONDS:g} s"


def _probe(uri: str) -> str | None:
    import socket

    import requests

    parts, scheme, timeout = urlsplit(uri), uri_scheme(uri), TIMEOUT_SECONDS - 0.5
    try:
        if scheme in {"http", "https"}:
            status = requests.get(f"{uri.rstrip('/')}/health", timeout=timeout).status_code
            if status == 404:  # each MLflow server has this page
                return store_errors.REFUSALS["ENDPOINT_NOT_FOUND"]
            # Another status below 500 comes from a working server that asks for a password.
            return None if status < 500 else f"its answer has status {status}"
        if parts.hostname:  # else the store is a file, or the query names a socket
            socket.create_connection((parts.hostname, parts.port or PORTS[scheme]), timeout).close()
    except OSError as error:  # requests' own exceptions are OSErrors, too
        if not store_errors.is_tls_error(error):  # the first real call reports that one
            return f"{type(error).__name__}, nothing answers there"
    return None


def redact(text: str) -> str:
    """`text` without passwords and tokens: those in addresses and those in the environment."""
    text = re.sub(r"(\w+://)\S*@", r"\1", text)
    text = re.sub(r"(\w+://[^\s?]*)\?\S*", r"\1", text)
    user = os.environ.get(URI_VARIABLE, "").partition("://")[2].rpartition("@")[0]
    password = user.partition(":")[2]
    tokens = map(os.environ.get, ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"))
    for secret in filter(None, [*tokens, password, unquote(password)]):
        text = text.replace(secret, "***")
    return text


def describe_error(error: BaseException) -> str:
    """What an exception means, or else itself as one short line without secrets."""
    if meaning := store_errors.explain(error):
        return meaning
    return textwrap.shorten(redact(f"{type(error).__name__}: {error}"), 200, placeholder=" ...")


def _print_warning(message: str) -> None:
    print(f"tracking: {message}", file=sys.stderr, flush=True)


# What `warn_once` does with a message; `digits.library` logs it.
WARN: ContextVar[Callable[[str], object]] = ContextVar("WARN", default=_print_warning)


def warn_once(message: str, topic: str | None = None) -> None:
    """Call WARN, by default a line on stderr, once in a process for each `topic` or message."""
    if (topic or message) not in WARNED:
        WARNED.add(topic or message)
        WARN.get()(message)
