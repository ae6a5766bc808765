"""Which tracking store the environment asks for, and whether it answers."""

import os
import queue
import re
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from digits.project.errors import UserError
from digits.project.workspace import state_root

URI_VARIABLE = "MLFLOW_TRACKING_URI"
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
TIMEOUT_SECONDS = 3.0  # seconds in all for a store to answer
WARNED: set[str] = set()  # what this process has said


def embedded_uri() -> str:
    """The address of the store inside this checkout."""
    return f"sqlite:///{state_root() / 'mlflow.db'}"


def configured_uri() -> str | None:
    """The store that MLFLOW_TRACKING_URI names; None when that is the embedded one.

    Relative sqlite paths count from the checkout's root. Raises UserError for an address
    that is no tracking store.
    """
    value = os.environ.get(URI_VARIABLE, "").strip()
    if not value:
        return None
    hosted = uri_scheme(value) in {"http", "https", *PORTS} and urlsplit(value).netloc
    in_file = value.startswith("sqlite:///") and sqlite_file(value).name not in {"", ":memory:"}
    if not hosted and not in_file:
        known = "http://HOST:PORT, https://HOST, postgresql://HOST/NAME or sqlite:///FILE"
        message = f"{URI_VARIABLE} is {redact(value)!r}; expected {known}; correct or unset it"
        raise UserError(message)
    if in_file:
        value = f"sqlite:///{state_root() / sqlite_file(value)}"
    return None if value == embedded_uri() else value


def uri_scheme(uri: str) -> str:
    """The kind of store: `postgresql` for postgresql+psycopg://..."""
    kind, separator, _ = uri.partition("://")
    return kind.partition("+")[0].lower() if separator else ""


def sqlite_file(uri: str) -> Path:
    """The file behind a sqlite address."""
    return Path(unquote(uri.removeprefix("sqlite:///").split("?")[0]))


def connection_problem(uri: str) -> str | None:
    """Why the store at `uri` cannot be used now; None when it answers.

    Asked in a thread, because looking up a host name cannot be given a time limit.
    """
    answer: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=lambda: answer.put(_probe(uri)), daemon=True).start()
    try:
        return answer.get(timeout=TIMEOUT_SECONDS)
    except queue.Empty:
        return f"no answer within {TIMEOUT_SECONDS:g} s"


def _probe(uri: str) -> str | None:
    import requests

    parts, kind = urlsplit(uri), uri_scheme(uri)
    try:
        if kind in {"http", "https"}:
            status = requests.get(
                f"{uri.rstrip('/')}/health", timeout=TIMEOUT_SECONDS - 0.5
            ).status_code
            # Anything below 500 comes from a server at work, even if it wants a password for this.
            return None if status < 500 else f"its answer has status {status}"
        if parts.hostname:  # else a file, or a socket that is named in the query
            place = parts.hostname, parts.port or PORTS[kind]
            socket.create_connection(place, timeout=TIMEOUT_SECONDS - 0.5).close()
    except requests.exceptions.SSLError:
        return None  # something is there: the first real call says what is wrong with it
    except OSError as error:
        return f"{type(error).__name__}, nothing answers there"
    return None


def redact(text: str) -> str:
    """`text` without passwords and tokens: those in addresses and those in the environment."""
    text = re.sub(r"(\w+://)\S*@", r"\1", text)
    text = re.sub(r"(\w+://[^\s?]*)\?\S*", r"\1", text)
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def _secrets() -> list[str]:
    names = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    value = os.environ.get(URI_VARIABLE, "")
    password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
    found = [*(os.environ.get(name, "") for name in names), password, unquote(password)]
    return [secret for secret in found if secret]


def describe_error(error: BaseException) -> str:
    """An exception as one short line without secrets."""
    text = redact(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:200]


def warn_once(message: str, topic: str | None = None) -> None:
    """One line on stderr; in each process one for each `topic`, and the same line once."""
    if (topic or message) not in WARNED:
        WARNED.add(topic or message)
        print(f"tracking: {message}", file=sys.stderr, flush=True)
