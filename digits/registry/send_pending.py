"""`digits send`: write to the store what waits in the journals of this checkout.

The journals themselves are in `digits.tracking`.
"""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from digits.project import atomic_files, process_locks
from digits.project.errors import UserError
from digits.project.params_schema import RegisterParams
from digits.registry import lineage, promotion, register_model, registration
from digits.registry.model_version import UNSENT_TAG, RegisteredVersion
from digits.registry.promotion_decision import PromotionDecision, decide_alias
from digits.tracking import journal_folders, store_uri, tracking_store
from digits.tracking.journal import REGISTER, Journal


@dataclass(frozen=True)
class SentSummary:
    """What `send` wrote: ids of runs, and versions with the decision on each."""

    server: str
    runs: set[str] = field(default_factory=set)
    versions: list[tuple[RegisteredVersion, PromotionDecision]] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.runs and not self.versions:
            return f"nothing waits to be sent to {self.server}"
        counts = f"{len(self.runs)} run(s) and {len(self.versions)} version(s)"
        return f"sent {counts} to {self.server}"


def send_pending(decide: promotion.Decide) -> SentSummary:
    """Send the pending entries of all runs whose process has ended, oldest first.

    `decide` gives each version its alias against the store's champion. Raises UserError
    when there is no store to write to, or it fails; what was written stays written.
    """
    store = tracking_store.current_store()
    if problem := store_uri.connection_problem(store.uri):
        raise UserError(f"{store} does not answer ({problem}); nothing was sent, try again later")
    sent = SentSummary(str(store))
    with process_locks.process_lock("send"), ExitStack() as stack:
        journals = [stack.enter_context(closing(j)) for j in journal_folders.unlocked_journals()]
        try:
            for journal in journals:
                _send_journal(journal, decide, sent)
        except Exception as error:
            message = f"sending to {store} stopped ({store_uri.describe_error(error)})"
            raise UserError(f"{message}; run `digits send` again for the rest") from error
    if not store.embedded:
        _warn_of_version_1(tracking_store.embedded_store())
    elif not journals:
        raise UserError(
            f"no tracking server to send to; set {store_uri.URI_VARIABLE} to its address"
        )
    return sent


def _warn_of_version_1(store: tracking_store.TrackingStore) -> None:
    """Warn of runs that an earlier version of this program kept in `store` for a server."""
    condition = f"tags.`{UNSENT_TAG}` = 'true'"
    exists = store_uri.sqlite_file(store.uri).exists()
    if exists and (runs := store.client.search_runs([store.experiment], condition)):
        way = "`digits send` of that release sends them, `dvc repro -f` makes the last one anew"
        store_uri.warn_once(f"{len(runs)} run(s) of release 0.1.0 still wait in mlflow.db; {way}")


def _send_journal(journal: Journal, decide: promotion.Decide, sent: SentSummary) -> None:
    def register(target: tracking_store.StoredRun, kept: Path, **request: Any) -> None:
        version = registration.publish_version(target, folder=kept, **request)
        sent.versions.append((version, promotion.apply_decision(version, decide)))
        lineage.store_card(version, kept)

    journal.end_killed()
    kinds = {line["kind"] for line in journal.waiting}
    journal.write(register)
    if kinds - {REGISTER}:
        sent.runs.add(journal.run_id)


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
