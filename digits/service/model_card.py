"""The model card: where a model comes from, why it was promoted, and how good it is.

Values that are not recorded anywhere are left out. The scores are those of the model's own
run. The page that shows them is `web/model.html`.
"""

import base64
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from digits.evaluation.scores import wilson_interval
from digits.inference import model_manifest
from digits.project import atomic_files
from digits.registry import alias_moves, lineage, promotion_decision, registration
from digits.registry.alias_log import CHAMPION, AliasLogEntry, format_time
from digits.tracking import metric_names, run_lookup, store_uri, tracking_store
from digits.tracking.tracking_store import StoredRun

Card = dict[str, Any]


def build_card(folder: Path) -> Card:
    """Return what is recorded of the model in `folder`, as JSON values. May take seconds.

    Raises UserError when there is no model. A section that fails is left out, with a note on
    standard error. A tracking store inside the checkout is only read, never created.
    """
    manifest = atomic_files.read_json(folder / model_manifest.MANIFEST)
    content, run_id = str(manifest["content_sha256"]), str(manifest["run_id"])
    card: Card = {"kind": manifest["kind"], "run": {"id": run_id}}
    stores = tracking_store.lookup_stores()
    if any(not s.embedded or store_uri.sqlite_file(s.uri).exists() for s in stores):
        for section in _sections(folder, content, run_id):
            try:
                card |= section()
            except Exception as error:  # the model can be served without its card
                reason = " ".join(str(error).split())[:200]
                print(f"note: the model's page is not complete ({reason})", file=sys.stderr)
    return card


def _sections(folder: Path, content: str, run_id: str) -> Iterator[Callable[[], Card]]:
    """Yield the functions that read the sections of a card; each may fail alone."""
    yield partial(lineage.trace_lineage, str(folder))
    yield partial(_promotion, content)
    if run := run_lookup.find_run(run_id):
        yield partial(_scores, run)
        yield partial(_test_predictions, run)


def _promotion(content: str) -> Card:
    """Return the alias log's entries that gave or took `champion`, and the gate's decision."""
    state = alias_moves.current_alias_state()
    version = registration.find_by_content(state.store, state.name, content)
    if version is None:
        return {}
    changes = [e for e in state.log.changes(CHAMPION) if version.number in e.moves[CHAMPION]]
    rows = [_promotion_row(entry, version.number) for entry in changes]
    decision = promotion_decision.recorded_decision(version.tags)
    if decision is None:
        return {"promotion": rows}
    head, rules = decision.table
    return {"promotion": rows, "gate": {**decision.summary, "head": head, "rows": rules}}


def _promotion_row(entry: AliasLogEntry, number: int) -> dict[str, str]:
    """Return when, by whom and why version `number` became champion or was replaced."""
    what = "made" if entry.moves[CHAMPION][1] == number else "replaced as"
    row = {"when": format_time(entry.when), "who": entry.who, "why": entry.why}
    return row | {"what": f"{what} champion by {entry.action}"}


def _test_predictions(run: StoredRun) -> Card:
    """Return the confusion matrix and example images from the files that `evaluate` logged."""
    with tempfile.TemporaryDirectory() as scratch:
        download = run.store.client.download_artifacts
        predictions = Path(download(run.run_id, "evaluation/predictions.csv", scratch))
        examples = Path(download(run.run_id, "evaluation/examples.png", scratch)).read_bytes()
        encoded = base64.b64encode(examples).decode()
        return {"confusion": _confusion(predictions), "examples": encoded}


def _scores(run: StoredRun) -> Card:
    """Return accuracy, its interval and the calibration error on test and validation data."""
    stored = run.store.client.get_run(run.run_id)
    read = partial(metric_names.read_metric, stored.data.metrics)
    size, counts = read("model/parameters"), run_lookup.image_counts(stored)
    card: Card = {} if size is None else {"parameters": int(size)}
    for split in ("test", "validation"):
        n, accuracy = counts.get(split), read(f"{split}/accuracy")
        if n and accuracy is not None:
            interval = wilson_interval(round(accuracy * n), n)
            card[split] = {"n": n, "accuracy": accuracy, "interval": interval}
            card[split]["ece"] = read(f"{split}/ece")
    return card


def _confusion(predictions: Path) -> Card:
    """Return the confusion matrix, a row for each actual class, and the recall of each class."""
    with predictions.open(newline="", encoding="utf-8") as file:
        pairs = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(file))
    classes = sorted({name for pair in pairs for name in pair})
    matrix = [[pairs[actual, predicted] for predicted in classes] for actual in classes]
    totals = [(sum(row), row[i]) for i, row in enumerate(matrix)]
    recall = [{"n": n, "right": k, "interval": wilson_interval(k, n)} for n, k in totals if n]
    return {"classes": classes, "counts": matrix, "recall": recall}
