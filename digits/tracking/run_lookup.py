"""Runs in a store: found by any of their ids, and made."""

from collections.abc import Mapping

from digits.tracking import store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun, TrackingStore

# A run that was made here first bears its id from then as a tag; in version 1 other tags.
LOCAL_ID_TAG = "digits.run"
CONDITIONS = (
    f"tags.`{LOCAL_ID_TAG}` = '{{}}'",
    "tags.`outbox.sent_from.{}` = 'true'",
    "tags.`outbox.continues` = '{}'",
)
PARENT_TAG = "mlflow.parentRunId"


def find_run(run_id: str) -> StoredRun | None:
    """The run `run_id` in the configured store, else in the embedded one.

    None when no store that answers has it.
    """
    for where in filter(tracking_store.is_reachable, tracking_store.lookup_stores()):
        try:
            found = find_in_store(where, run_id)
        except Exception as error:  # tracking is no reason not to work
            tracking_store.warn_outage(where, f"failed ({store_uri.describe_error(error)})")
            continue
        if found is not None:
            return found
    return None


def find_in_store(where: TrackingStore, run_id: str) -> StoredRun | None:
    """The run `run_id`, or the one that stands for it, in one store."""
    known = tracking_store.found_or_none(lambda: where.client.get_run(run_id).info)
    if known is not None:
        return StoredRun(where, run_id) if known.lifecycle_stage == "active" else None
    copies = (_search(where, condition.format(run_id)) for condition in CONDITIONS)
    return next((StoredRun(where, found[0]) for found in copies if found), None)


def _search(where: TrackingStore, condition: str) -> list[str]:
    found = where.client.search_runs([where.experiment], condition)
    return [r.info.run_id for r in found]


def create_run(
    where: TrackingStore, run_id: str, name: str | None, tags: Mapping[str, str], moment: int
) -> StoredRun:
    """Make the run that is called `run_id` here, below its parent if `tags` name one.

    Without a name it is a run that this process only adds to: it is ended, and has the tags
    that one of this id in the embedded store has.
    """
    known = find_in_store(where, tags[PARENT_TAG]) if PARENT_TAG in tags else None
    parent = {PARENT_TAG: known.run_id} if known else {}
    original = find_run(run_id) if name is None else None
    old = original.store.client.get_run(original.run_id).data.tags if original else {}
    marks = {**old, **tags, **parent, LOCAL_ID_TAG: run_id}
    made = where.client.create_run(where.experiment, moment, marks, name)
    if name is None:
        where.client.set_terminated(made.info.run_id, "FINISHED")
    return StoredRun(where, made.info.run_id)


def adopt_children(target: StoredRun, run_id: str) -> None:
    """Let runs that call `run_id` their parent, written before it, name `target`."""
    for child in _search(target.store, f"tags.`{PARENT_TAG}` = '{run_id}'"):
        target.store.client.set_tag(child, PARENT_TAG, target.run_id)
