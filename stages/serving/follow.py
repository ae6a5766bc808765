"""The process beside the service that knows the registry: MLflow is loaded here alone.

    python -m stages.serving.follow REFERENCE STATE

Writes into the file STATE which verified model REFERENCE means, again whenever that changes.
Ends when its standard input does, and at once where nothing can change.
"""

import io
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from stages.lib import files, integrity
from stages.lib.errors import UserError, guarded
from stages.lib.tracking import fetch, resolve
from stages.lib.tracking.resolve import UnreachableError
from stages.serving import logs
from stages.serving.about import about

SECONDS = 3.0  # between two looks at the registry


def follow(reference: str, state: Path) -> None:
    """Write what `reference` means, and go on while it may come to mean something else.

    Raises UserError when it means nothing that can be served; later on, such a version is
    told in the log and the one before stays.
    """
    if Path(reference).is_dir():
        files.write_json(state, _local(Path(reference)))
        return
    number, said = _publish(reference, state), ""
    while not reference.isdecimal():
        if select.select([sys.stdin], [], [], SECONDS)[0]:
            return
        newest = number
        try:
            newest = _number(reference)
            if newest != number:
                number = _publish(reference, state)
            said = ""
        except UserError as error:
            if not isinstance(error, UnreachableError):
                number = newest  # a wrong version is fetched once
            if said != str(error):
                said = str(error)
                logs.line(event="model refused", level="error", reference=reference, reason=said)


@contextmanager
def _logged() -> Iterator[None]:
    """Send the notes for people that functions print into the service's log."""
    with redirect_stderr(io.StringIO()) as told:
        try:
            yield
        finally:
            for note in told.getvalue().splitlines():
                logs.line(event=note, level="warning")


@_logged()
def _local(folder: Path) -> dict[str, Any]:
    manifest = integrity.check(folder)
    return {
        "folder": str(folder.resolve()),
        "name": folder.resolve().name,
        "version": "local",
        "content": manifest["content_sha256"],
        "about": about(folder, None),
    }


@_logged()
def _number(reference: str) -> int:
    return resolve.version(reference).number


@_logged()
def _publish(reference: str, state: Path) -> int:
    """Fetch and check what `reference` means now, and write it down. Returns its number."""
    folder, number = fetch.fetch(reference)
    manifest = integrity.check(folder)
    told = {
        "folder": str(folder),
        "name": resolve.model_name(),
        "version": str(number),
        "content": manifest["content_sha256"],
        "about": about(folder, str(number)),
    }
    files.write_json(state, told)
    return number


if __name__ == "__main__":
    sys.exit(guarded("digits", lambda: follow(sys.argv[1], Path(sys.argv[2]))))
