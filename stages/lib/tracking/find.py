"""Runs in a store: found by any of their ids, and made."""

from collections.abc import Mapping

from stages.lib.tracking import address, store
from stages.lib.tracking.store import Store, Target

# A run that was made here first bears its id from then as a tag; in version 1 other tags.
LOCAL = "digits.run"
CONDITIONS = (
    f"tags.`{LOCAL}` = '{{}}'",
    "tags.`outbox.sent_from.{}` = 'true'",
    "tags.`outbox.continues` = '{}'",
)
PARENT = "mlflow.parentRunId"


def run(run_id: str) -> Target | None:
    """The run `run_id` in the configured store, else in the embedded one.

    None when no store that answers has it.
    """
    for where in filter(store.answers, store.stores()):
        try:
            found = in_store(where, run_id)
        except Exception as error:  # tracking is no reason not to work
            store.tell_outage(where, f"failed ({address.reason(error)})")
            continue
        if found is not None:
            return found
    return None


def in_store(where: Store, run_id: str) -> Target | None:
    """The run `run_id`, or the one that stands for it, in one store."""
    known = store.present(lambda: where.client.get_run(run_id).info)
    if known is not None:
        return Target(where, run_id) if known.lifecycle_stage == "active" else None
    copies = (_search(where, condition.format(run_id)) for condition in CONDITIONS)
    return next((Target(where, found[0]) for found in copies if found), None)


def _search(where: Store, condition: str) -> list[str]:
    found = where.client.search_runs([where.experiment], condition)
    return [r.info.run_id for r in found]


def create(
    where: Store, run_id: str, name: str | None, tags: Mapping[str, str], moment: int
) -> Target:
    """Make the run that is called `run_id` here, below its parent if `tags` name one.

    Without a name it is a run that this process only adds to: it is ended, and has the tags
    that one of this id in the embedded store has.
    """
    known = in_store(where, tags[PARENT]) if PARENT in tags else None
    parent = {PARENT: known.run_id} if known else {}
    original = run(run_id) if name is None else None
    old = original.store.client.get_run(original.run_id).data.tags if original else {}
    marks = {**old, **tags, **parent, LOCAL: run_id}
    made = where.client.create_run(where.experiment, moment, marks, name)
    if name is None:
        where.client.set_terminated(made.info.run_id, "FINISHED")
    return Target(where, made.info.run_id)


def adopt(target: Target, run_id: str) -> None:
    """Let runs that call `run_id` their parent, written before it, name `target`."""
    for child in _search(target.store, f"tags.`{PARENT}` = '{run_id}'"):
        target.store.client.set_tag(child, PARENT, target.run_id)
