"""`digits send`: write to the store what waits in the journals of this checkout."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from digits.project import atomic_files, process_locks
from digits.project.errors import UserError
from digits.project.params_schema import RegisterParams
from digits.registry import promotion, register_model, registration
from digits.registry.model_version import UNSENT_TAG, RegisteredVersion
from digits.registry.promotion import Decide
from digits.registry.promotion_decision import PromotionDecision, decide_alias
from digits.tracking import journal_folders, store_uri, tracking_store
from digits.tracking.journal import REGISTER, Journal
from digits.tracking.tracking_store import StoredRun, TrackingStore


@dataclass(frozen=True)
class SentSummary:
    """What `send` wrote: ids of runs, and versions with what was decided of each."""

    server: str
    runs: set[str] = field(default_factory=set)
    versions: list[tuple[RegisteredVersion, PromotionDecision]] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.runs and not self.versions:
            return f"nothing waits to be sent to {self.server}"
        counts = f"{len(self.runs)} run(s) and {len(self.versions)} version(s)"
        return f"sent {counts} to {self.server}"


def send_pending(decide: Decide) -> SentSummary:
    """Write what waits of runs whose process has ended, oldest first.

    `decide` gives each version its alias against the store's champion. Raises UserError
    when there is no store to write to, or it fails; what was written stays written.
    """
    where = tracking_store.current_store()
    problem = store_uri.connection_problem(where.uri)
    if problem is not None:
        message = f"{where} does not answer ({problem}); nothing was sent, try again later"
        raise UserError(message)
    done = SentSummary(str(where))
    with process_locks.process_lock("send"), ExitStack() as stack:
        waiting = [stack.enter_context(closing(one)) for one in journal_folders.unlocked_journals()]
        try:
            for one in waiting:
                _send_journal(one, decide, done)
        except Exception as error:
            message = f"sending to {where} stopped ({store_uri.describe_error(error)})"
            raise UserError(f"{message}; run `digits send` again for the rest") from error
    if where.embedded and not waiting:
        message = f"no tracking server to send to; set {store_uri.URI_VARIABLE} to its address"
        raise UserError(message)
    if not where.embedded:
        _warn_of_version_1(tracking_store.embedded_store())
    return done


def _warn_of_version_1(here: TrackingStore) -> None:
    """Say what an earlier version of this program kept in the embedded store for a server."""
    if store_uri.sqlite_file(here.uri).exists():
        found = here.client.search_runs([here.experiment], f"tags.`{UNSENT_TAG}` = 'true'")
        if found:
            way = "`digits send` of version 1 sends them, `dvc repro -f` makes the last one anew"
            store_uri.warn_once(f"{len(found)} run(s) of version 1 still wait in mlflow.db; {way}")


def _send_journal(waiting: Journal, decide: Decide, done: SentSummary) -> None:
    def register(target: StoredRun, kept: Path, **wish: Any) -> None:
        version = registration.publish_version(target, folder=kept, **wish)
        done.versions.append((version, promotion.apply_decision(version, decide)))

    waiting.end_killed()
    kinds = {entry["kind"] for entry in waiting.waiting}
    waiting.write(register)
    if kinds - {REGISTER}:
        done.runs.add(waiting.run_id)


def send_and_decide(rules: RegisterParams, validation: Path, *, registration: Path) -> SentSummary:
    """Send what waits, as `send_pending` does, and apply `rules` to each version that is sent.

    `validation` is the split that models are compared on. If the file `registration` waits for
    one of these versions, the decision is written to it.
    """
    sent = send_pending(partial(decide_alias, rules=rules, validation=validation))
    for version, decision in sent.versions:
        waiting = registration.exists() and atomic_files.read_json(registration)
        if waiting and waiting["content_sha256"] == version.content_sha256:
            register_model.write_registration(version, decision, registration)
    return sent
