"""What MLflow's pages show of the experiment: its description, and the first view of its runs.

MLflow keeps a shared view as a tag of the experiment. The address of the pages names the view.
"""

import json
from typing import TYPE_CHECKING

from digits.tracking import metric_names, tracking_store
from digits.tracking.run_summary import CHANGED_TAG, GATE_TAG, RECIPE_TAG
from digits.tracking.tracking_store import TrackingStore

if TYPE_CHECKING:
    from mlflow import MlflowClient

VIEW = "start"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
ACCURACIES = ("test/accuracy", "validation/accuracy")
# Columns and their pixels: 1,440 show all, also beside the assistant that MLflow opens at first.
FIRST_COLUMNS = {"attributes.`Run Name`": 110, "runDateAndNestInfo": 120, "duration": 70}
TAG_COLUMNS = {f"tags.`{GATE_TAG}`": 70, f"tags.`{RECIPE_TAG}`": 70, f"tags.`{CHANGED_TAG}`": 150}
METRIC_PIXELS = 100
# Groups of charts in this order, and whether they are open at first.
CHART_GROUPS = {"test": True, "validation": True, "train": True, "class/recall": False}
CHART_GROUPS |= {"corruption": False, "time": False, "model": False, "Model metrics": True}


def page_address(store: TrackingStore, server: str) -> str:
    """Describe the experiment in `store`, and return the address of its runs on `server`.

    A description that somebody wrote stays. Runs with older names of metrics get columns, too.
    """
    client, experiment_id = store.client, store.experiment
    tags = client.get_experiment(experiment_id).tags
    wanted = {VIEW_TAG: _shared_view(*_logged_accuracies(client, experiment_id))}
    if tracking_store.NOTE_TAG not in tags:
        wanted[tracking_store.NOTE_TAG] = tracking_store.DESCRIPTION
    for key, value in wanted.items():
        if tags.get(key) != value:
            client.set_experiment_tag(experiment_id, key, value)
    page = f"#/experiments/{experiment_id}/runs?workflowType=machine_learning"
    return f"{server.rstrip('/')}/{page}&viewStateShareKey={VIEW}"


def _logged_accuracies(client: "MlflowClient", experiment_id: str) -> tuple[list[str], list[str]]:
    """Return columns for the accuracies, and for their old names: for those that runs have."""
    old = [metric_names.old_name(name) for name in ACCURACIES]
    columns = [[f"metrics.`{name}`" for name in names] for names in (ACCURACIES, old)]
    has_new, has_old = (
        bool(client.search_runs([experiment_id], f"{names[0]} >= 0", max_results=1))
        for names in columns
    )
    return (columns[0] if has_new or not has_old else []), (columns[1] if has_old else [])


def _shared_view(metrics: list[str], old_metrics: list[str]) -> str:
    """Return a view with metrics and the tags for people, the best test accuracy first."""
    shown = dict.fromkeys(metrics or old_metrics, METRIC_PIXELS) | TAG_COLUMNS
    shown |= dict.fromkeys(old_metrics, METRIC_PIXELS)
    widths = FIRST_COLUMNS | shown
    view = {
        "orderByKey": next(iter(shown)),
        "orderByAsc": False,
        "selectedColumns": list(shown),
        "columnOrder": list(widths),
        "columnWidths": widths,
        "compareRunCharts": [],  # MLflow adds one for each metric
        "compareRunSections": [
            {"uuid": name, "name": name, "display": is_open, "isReordered": True}
            for name, is_open in CHART_GROUPS.items()
        ],
        "isAccordionReordered": True,
    }
    return json.dumps(view)
