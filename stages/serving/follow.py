"""What knows the registry: MLflow is loaded in the one process that runs this, not in workers.

Writes into a file which verified model a reference means, again whenever that changes.
"""

import sys
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path

from stages.lib import files, integrity
from stages.lib.errors import UserError
from stages.lib.tracking import fetch, resolve
from stages.lib.tracking.store import OutageError
from stages.serving import logs
from stages.serving.about import about

SECONDS = 3.0  # between two looks at the registry


def follow(reference: str, state: Path) -> None:
    """Write what `reference` means; a thread goes on while it may come to mean something else.

    Raises UserError when it means nothing that can be served; later on, such a version is
    told in the log and the one before stays.
    """
    with redirect_stderr(logs.Notes()):
        number = _publish(reference, state)
    if number is not None and not reference.isdecimal():
        thread = threading.Thread(target=_watch, args=(reference, number, state), daemon=True)
        thread.start()


def _watch(reference: str, number: int | None, state: Path) -> None:
    sys.stderr, said = logs.Notes(), ""
    while True:
        time.sleep(SECONDS)
        newest = number
        try:
            newest = resolve.version(reference).number
            if newest != number:
                number = _publish(reference, state)
            said = ""
        except Exception as error:  # whatever happens, the model before stays
            if isinstance(error, UserError) and not isinstance(error, OutageError):
                number = newest  # a wrong version is fetched once
            if said != str(error):
                said = str(error)
                logs.line(event="model refused", level="error", reference=reference, reason=said)


def _publish(reference: str, state: Path) -> int | None:
    """Fetch and check what `reference` means now, and write it down.

    Returns its number; None for a folder, which no registry knows.
    """
    if Path(reference).is_dir():
        folder, number = Path(reference).resolve(), None
    else:
        folder, number = fetch.fetch(reference)
    manifest = integrity.check(folder)
    told = {
        "folder": str(folder),
        "name": folder.name if number is None else resolve.model_name(),
        "version": str(number or "local"),
        "content": manifest["content_sha256"],
        "about": about(folder),
    }
    files.write_json(state, told)
    return number
