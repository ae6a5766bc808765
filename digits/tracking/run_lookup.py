"""Runs in a store: looked up by any of their ids, and created."""

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from digits.tracking import store_errors, store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun, TrackingStore

if TYPE_CHECKING:
    from mlflow.entities import Run

# A run that has its id from this checkout carries it as a tag. Older runs have the other tags.
LOCAL_ID_TAG = "mlflow.digits.run"  # MLflow's pages hide tags with "mlflow."
CONDITIONS = (
    f"tags.`{LOCAL_ID_TAG}` = '{{}}'",
    "tags.`digits.run` = '{}'",
    "tags.`outbox.sent_from.{}` = 'true'",
    "tags.`outbox.continues` = '{}'",
)
PARENT_TAG = "mlflow.parentRunId"
UI_ADDRESS = "http://127.0.0.1:5000"  # where `digits ui` serves, unless the port is taken


def find_run(run_id: str) -> StoredRun | None:
    """The run `run_id` in the configured store, else in the embedded one.

    None when no store that answers has it.
    """
    stores = tracking_store.lookup_stores()
    runs = (tracking_store.call_or_warn(s, partial(find_in_store, s, run_id)) for s in stores)
    return next(filter(None, runs), None)


def find_in_store(store: TrackingStore, run_id: str) -> StoredRun | None:
    """Find the run `run_id`, or the copy of it that was created later in this store."""
    try:
        info = tracking_store.found_or_none(lambda: store.client.get_run(run_id).info)
    except Exception as error:
        if not store_errors.is_hidden(error):
            raise
        info = None  # its copy may be found
    if info is not None:
        return StoredRun(store, run_id) if info.lifecycle_stage == "active" else None
    copies = (_search(store, condition.format(run_id)) for condition in CONDITIONS)
    return next((StoredRun(store, ids[0]) for ids in copies if ids), None)


def run_page(run_id: str) -> str | None:
    """The address of the run's page in MLflow, on the tracking server or else in `digits ui`.

    None when no store that answers has the run.
    """
    run = find_run(run_id)
    if run is None:
        return None
    return page_address(run.store, run.store.experiment, run.run_id, UI_ADDRESS)


def page_address(store: TrackingStore, experiment: str, run_id: str, otherwise: str = "") -> str:
    """The address of a run's page on the tracking server, or without one on `otherwise`."""
    is_server = store_uri.uri_scheme(store.uri) in {"http", "https"}
    host = store_uri.redact(store.uri).rstrip("/") if is_server else otherwise
    return host and f"{host}/#/experiments/{experiment}/runs/{run_id}"


def image_counts(run: "Run") -> dict[str, int]:
    """Return the number of images in each data set of a run, by its name."""
    datasets = [item.dataset for item in run.inputs.dataset_inputs] if run.inputs else []
    return {dataset.name: json.loads(dataset.profile)["num_rows"] for dataset in datasets}


def _search(store: TrackingStore, condition: str) -> list[str]:
    return [run.info.run_id for run in store.client.search_runs([store.experiment], condition)]


def create_run(
    store: TrackingStore, run_id: str, name: str | None, tags: Mapping[str, str], moment: int
) -> StoredRun:
    """Create the run with the local id `run_id`, below its parent if `tags` name one.

    Without a name it is a run that this process only adds to. It is ended, and gets the tags of
    the run with this id in the embedded store.
    """
    all_tags = {**tags, LOCAL_ID_TAG: run_id}
    if PARENT_TAG in tags and (parent := find_in_store(store, tags[PARENT_TAG])):
        all_tags[PARENT_TAG] = parent.run_id
    if name is None and (original := find_run(run_id)):
        all_tags = original.store.client.get_run(original.run_id).data.tags | all_tags
    created = store.client.create_run(store.experiment, moment, all_tags, name).info
    if name is None:
        store.client.set_terminated(created.run_id, "FINISHED")
    return StoredRun(store, created.run_id)


def adopt_children(target: StoredRun, run_id: str) -> None:
    """Let runs that were written before their parent `run_id` name `target` as their parent."""
    for child in _search(target.store, f"tags.`{PARENT_TAG}` = '{run_id}'"):
        target.store.client.set_tag(child, PARENT_TAG, target.run_id)
