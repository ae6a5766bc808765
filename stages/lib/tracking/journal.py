"""What a run has logged so far, so that an outage in its middle loses nothing.

Every call is an entry that is kept in memory. When the server fails, a run in the embedded
store takes over and all entries are written again there; `digits send` later adds that run
to the one it continues.
"""

from collections.abc import Callable, Mapping

from stages.lib.tracking import address, lineage, record, store
from stages.lib.tracking.store import Store, Target

UNSENT = "outbox.unsent"  # "true" on what waits in the embedded store
CONTINUES = "outbox.continues"  # the run that a local one goes on with
SENT_FROM = "outbox.sent_from."  # and the id of a local run, on the server's run
SENT_TO = "outbox.sent_to"  # on a local run: the server's run


Entry = Callable[[Target], object]


def create(where: Store, name: str | None, tags: Mapping[str, str] | None = None) -> Target:
    """A new run of this process."""
    marks = {UNSENT: "true"} if where.unsent else {}
    all_tags = {**lineage.process(), **marks, **(tags or {})}
    run = where.client.create_run(where.experiment, record.now(), all_tags, name)
    return Target(where, run.info.run_id)


def reopen(target: Target) -> Target:
    """Make an ended run RUNNING again, in this process."""
    client = target.store.client
    marks = {UNSENT: "true"} if target.store.unsent else {}
    if "error" in client.get_run(target.run_id).data.tags:
        client.delete_tag(target.run_id, "error")  # of an earlier end
    record.tags(target, lineage.process() | marks)
    client.update_run(target.run_id, status="RUNNING")
    return target


def continuation(run_id: str, name: str | None) -> Target:
    """A run in the embedded store that goes on with one which cannot be reached."""
    return create(store.embedded(), name, {CONTINUES: run_id, UNSENT: "true"})


def stand_in(run_id: str) -> Target:
    """An ended `continuation`, to hang a model on."""
    target = continuation(run_id, None)
    target.store.client.set_terminated(target.run_id, "FINISHED")
    return target


class Journal:
    """Entries of one run, and how many of them are written to `target`."""

    def __init__(self, target: Target, name: str | None) -> None:
        self.target = target
        self._name = name
        self._entries: list[Entry] = []
        self._written = 0
        self._warned = False

    def add(self, entry: Entry) -> None:
        """Write an entry, and what could not be written before it. Never raises."""
        self._entries.append(entry)
        self.flush()

    @property
    def waiting(self) -> int:
        """How many entries are not written."""
        return len(self._entries) - self._written

    def flush(self) -> None:
        """Write what waits; move to the embedded store when the server fails."""
        while self.waiting:
            try:
                self._entries[self._written](self.target)
            except Exception as error:  # whatever fails here, the training must go on
                if _refused(error):
                    address.warn(f"not recorded ({address.reason(error)})")
                elif self._move(error):
                    continue
                else:
                    return
            self._written += 1

    def close(self) -> None:
        """Write what still can be written, leaving out entries that fail again."""
        self.flush()
        failed = 0
        while self.waiting:
            try:
                self._entries[self._written](self.target)
            except Exception:
                failed += 1
            self._written += 1
        if failed:
            address.warn(f"{failed} entries of run {self.target.run_id} are not recorded")

    def _move(self, error: Exception) -> bool:
        """Go on in the embedded store; False when that is not possible."""
        if self.target.store.embedded:
            if not self._warned:
                address.warn(f"recording is interrupted ({address.reason(error)}); work goes on")
            self._warned = True
            return False
        address.warn(
            f"{self.target.store} failed ({address.reason(error)}); the run goes on in this "
            "checkout, `digits send` sends it later"
        )
        try:
            self.target = continuation(self.target.run_id, self._name)
        except Exception as second:  # no store at all: work still goes on
            address.warn(f"nothing is recorded now ({address.reason(second)})")
            return False
        self._written = 0
        return True


def _refused(error: Exception) -> bool:
    """Whether the store works but will not take this entry: trying again is no use."""
    return getattr(error, "error_code", None) in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
