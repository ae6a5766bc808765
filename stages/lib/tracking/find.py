"""Find a run by its id, wherever it is now, and mark runs whose process is gone."""

from stages.lib.tracking import address, lineage, record
from stages.lib.tracking.journal import CONTINUES, SENT_FROM
from stages.lib.tracking.store import Store, Target, stores


def run(run_id: str) -> Target | None:
    """The run `run_id` in the configured store, else in the embedded one.

    After `digits send` it may have another id. None when no store that answers has it.
    """
    for store in stores():
        found = in_store(store, run_id)
        if found is not None:
            return found
    return None


def in_store(store: Store, run_id: str) -> Target | None:
    """The run `run_id`, or the one that stands for it, in one store."""
    from mlflow.exceptions import MlflowException

    try:
        info = store.client.get_run(run_id).info
        return Target(store, run_id) if info.lifecycle_stage == "active" else None
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            address.warn(f"{store} failed ({address.reason(error)})")
            return None
    condition = f"tags.`{CONTINUES}` = '{run_id}'"
    if not store.embedded:
        condition = f"tags.`{SENT_FROM}{run_id}` = 'true'"
    copies = _search(store, condition)
    return Target(store, copies[0]) if copies else None


def _search(store: Store, condition: str) -> list[str]:
    found = store.client.search_runs([store.experiment], condition)
    return [r.info.run_id for r in found]


def sweep(store: Store) -> list[str]:
    """Mark as KILLED the runs that are RUNNING while their process is gone; their ids."""
    client = store.client
    running = client.search_runs([store.experiment], "attributes.status = 'RUNNING'")
    dead = [r.info.run_id for r in running if lineage.gone(r.data.tags)]
    # Asked again: a run may have ended well, and its process after it, since the search.
    dead = [run_id for run_id in dead if client.get_run(run_id).info.status == "RUNNING"]
    for run_id in dead:
        client.set_terminated(run_id, "KILLED", record.now())
    return dead
