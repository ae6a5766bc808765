"""What knows the registry: MLflow is loaded in the one process that runs this, not in workers.

Writes into a file which verified model a reference means, again whenever that changes.
"""

import sys
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.registry import model_reference, version_lookup
from digits.service import json_logs
from digits.service.json_logs import StderrToLog
from digits.service.model_card import collect_facts
from digits.tracking.tracking_store import StoreUnavailableError

POLL_SECONDS = 3.0  # between two looks at the registry


def watch_registry(reference: str, state: Path) -> None:
    """Write what `reference` means; a thread goes on while it may come to mean something else.

    Raises UserError when it means nothing that can be served; later on, such a version is
    told in the log and the one before stays.
    """
    with redirect_stderr(StderrToLog()):
        number = _write_served_state(reference, state)
    if number is not None and not reference.isdecimal():
        thread = threading.Thread(target=_watch, args=(reference, number, state), daemon=True)
        thread.start()


def _watch(reference: str, number: int | None, state: Path) -> None:
    sys.stderr, said = StderrToLog(), ""
    while True:
        time.sleep(POLL_SECONDS)
        newest = number
        try:
            newest = version_lookup.find_version(reference).number
            if newest != number:
                number = _write_served_state(reference, state)
            said = ""
        except Exception as error:  # whatever happens, the model before stays
            if isinstance(error, UserError) and not isinstance(error, StoreUnavailableError):
                number = newest  # a wrong version is fetched once
            if said != str(error):
                said = str(error)
                json_logs.log_event(
                    event="model refused", level="error", reference=reference, reason=said
                )


def _write_served_state(reference: str, state: Path) -> int | None:
    """Fetch and check what `reference` means now, and write it down.

    Returns its number; None for a model that no registry knows.
    """
    model = model_reference.resolve(reference)
    folder = model.folder.resolve()
    told = {
        "folder": str(folder),
        "name": version_lookup.registered_model_name() if model.version else folder.name,
        "version": str(model.version or "local"),
        "content": model.content_sha256,
        "about": collect_facts(folder),
    }
    atomic_files.write_json(state, told)
    return model.version
