"""Follow the registry: write into the state file which checked model is to be served.

MLflow is loaded by the one process that imports this module, not by workers. They read the
file in `digits.service.hot_swap`.
"""

import sys
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.registry import model_reference, version_lookup
from digits.registry.lineage import build_card
from digits.service.json_logs import StderrToLog, log_event
from digits.service.served_model import LOCAL_VERSION
from digits.tracking.tracking_store import StoreUnavailableError

POLL_SECONDS = 3.0  # between two requests to the registry


def watch_registry(reference: str, state: Path) -> None:
    """Write the state file; follow `reference` in a thread if it is an alias.

    Raises UserError when the model cannot be served. A later version that cannot be served is
    logged, and the one before stays.
    """
    with redirect_stderr(StderrToLog()):
        number = _write_state(reference, state)
    if number is not None and not reference.isdecimal():
        threading.Thread(target=_watch, args=(reference, number, state), daemon=True).start()


def _watch(reference: str, number: int | None, state: Path) -> None:
    """Write the state file whenever `reference` means another version than `number`."""
    sys.stderr, logged = StderrToLog(), ""
    while True:
        time.sleep(POLL_SECONDS)
        newest = number
        try:
            newest = version_lookup.find_version(reference).number
            if newest != number:
                number = _write_state(reference, state)
            logged = ""
        except Exception as error:  # whatever happens, the model before stays
            if isinstance(error, UserError) and not isinstance(error, StoreUnavailableError):
                number = newest  # a bad version is fetched once only
            if logged != str(error):
                logged = str(error)
                log_event(event="model refused", level="error", reference=reference, reason=logged)


def _write_state(reference: str, state: Path) -> int | None:
    """Fetch and check the model that `reference` means now, and write it into the state file.

    Returns its version number; None for a folder.
    """
    model = model_reference.resolve(reference)
    folder = model.folder.resolve()
    record = {
        "folder": str(folder),
        "name": version_lookup.registered_model_name() if model.version else folder.name,
        "version": str(model.version or LOCAL_VERSION),
        "title": model.title,
        "content": model.content_sha256,
        "card": build_card(folder),
    }
    atomic_files.write_json(state, record)
    return model.version
