"""`digits send`: write to the store what waits in the journals of this checkout."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.lib.errors import UserError
from stages.lib.gate import Decision
from stages.lib.tracking import address, journal, promotion, registry, store
from stages.lib.tracking.journal import REGISTER, Journal
from stages.lib.tracking.promotion import Decide
from stages.lib.tracking.store import Store, Target
from stages.lib.tracking.version import UNSENT, Version


@dataclass(frozen=True)
class Summary:
    """What `send` wrote: ids of runs, and versions with what was decided of each."""

    server: str
    runs: set[str] = field(default_factory=set)
    versions: list[tuple[Version, Decision]] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.runs and not self.versions:
            return f"nothing waits to be sent to {self.server}"
        counts = f"{len(self.runs)} run(s) and {len(self.versions)} version(s)"
        return f"sent {counts} to {self.server}"


def send(decide: Decide) -> Summary:
    """Write what waits of runs whose process has ended, oldest first.

    `decide` gives each version its alias against the store's champion. Raises UserError
    when there is no store to write to, or it fails; what was written stays written.
    """
    where = store.connect()
    problem = address.trouble(where.uri)
    if problem is not None:
        message = f"{where} does not answer ({problem}); nothing was sent, try again later"
        raise UserError(message)
    done = Summary(str(where))
    with store.lock("send"), ExitStack() as stack:
        waiting = [stack.enter_context(closing(one)) for one in journal.free()]
        try:
            for one in waiting:
                _send(one, decide, done)
        except Exception as error:
            message = f"sending to {where} stopped ({address.reason(error)})"
            raise UserError(f"{message}; run `digits send` again for the rest") from error
    if where.embedded and not waiting:
        message = f"no tracking server to send to; set {address.VARIABLE} to its address"
        raise UserError(message)
    if not where.embedded:
        _tell_of_version_1(store.embedded())
    return done


def _tell_of_version_1(here: Store) -> None:
    """Say what an earlier version of this program kept in the embedded store for a server."""
    if address.sqlite_file(here.uri).exists():
        found = here.client.search_runs([here.experiment], f"tags.`{UNSENT}` = 'true'")
        if found:
            way = "`digits send` of version 1 sends them, `dvc repro -f` makes the last one anew"
            address.warn(f"{len(found)} run(s) of version 1 still wait in mlflow.db; {way}")


def _send(waiting: Journal, decide: Decide, done: Summary) -> None:
    def register(target: Target, kept: Path, **wish: Any) -> None:
        version = registry.publish(target, folder=kept, **wish)
        done.versions.append((version, promotion.promote(version, decide)))

    waiting.end_killed()
    kinds = {entry["kind"] for entry in waiting.waiting}
    waiting.write(register)
    if kinds - {REGISTER}:
        done.runs.add(waiting.run_id)
