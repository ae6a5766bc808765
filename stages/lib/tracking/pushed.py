"""Which registered versions would be lost with this disk."""

import queue
import threading
from collections.abc import Sequence

from stages.lib import tracked
from stages.lib.errors import UserError
from stages.lib.tracking.version import DVC_OID, Version

PATIENCE = 10.0  # seconds for the remotes to answer
ADVICE = (
    "`dvc push --all-commits` sends what dvc.lock names, now and in every commit,"
    " `dvc exp push origin NAME` an experiment's"
)


def note(versions: Sequence[Version]) -> str | None:
    """One sentence about those that are in no DVC remote, None when there is none.

    Versions from before their DVC hash was kept are not spoken of. Asked in a thread, because
    some remotes know no time limit.
    """
    oids = {v.number: v.tags[DVC_OID] for v in versions if DVC_OID in v.tags}
    answer: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=lambda: answer.put(_note(oids)), daemon=True).start()
    try:
        return answer.get(timeout=PATIENCE)
    except queue.Empty:
        return f"no remote answered within {PATIENCE:g} s: what is pushed is unknown"


def _note(oids: dict[int, str]) -> str | None:
    try:
        with tracked.storage() as storage:
            missing = [number for number, oid in oids.items() if not storage.pushed(oid)]
    except UserError as error:
        return f"what is pushed is unknown: {error}"
    if not missing:
        return None
    return f"in no remote: version {', '.join(map(str, missing))}; {ADVICE}"
