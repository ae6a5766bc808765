"""What is known of a model: where it comes from, why it serves, and how good it is.

What is not recorded anywhere is left out. The numbers are those of the model's own run.
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

from digits.evaluation import scores
from digits.inference import model_manifest
from digits.project import atomic_files
from digits.registry import alias_moves, lineage, promotion_decision, registration
from digits.registry.alias_log import CHAMPION, format_time
from digits.tracking import run_lookup, store_uri
from digits.tracking.tracking_store import StoredRun

Facts = dict[str, Any]


def collect_facts(folder: Path) -> Facts:
    """What the model's page shows of the model in `folder`; JSON alone. May take seconds.

    Raises UserError when there is no model; whatever else cannot be had is left out and told
    on stderr. A store inside the checkout is not made by asking it.
    """
    manifest = atomic_files.read_json(folder / model_manifest.MANIFEST)
    content, run_id = str(manifest["content_sha256"]), str(manifest["run_id"])
    found: Facts = {"kind": manifest["kind"], "run": {"id": run_id}}
    if store_uri.configured_uri() or store_uri.sqlite_file(store_uri.embedded_uri()).exists():
        for part in _parts(folder, content, run_id):
            try:
                found |= part()
            except Exception as error:  # a store that fails is no reason not to serve
                reason = " ".join(str(error).split())[:200]
                print(f"note: the model's page lacks facts ({reason})", file=sys.stderr)
    return found


def _parts(folder: Path, content: str, run_id: str) -> Iterator[Callable[[], Facts]]:
    """What finds facts, each on its own."""
    yield partial(lineage.trace_lineage, str(folder))
    yield partial(_promotion, content)
    if run := run_lookup.find_run(run_id):
        yield partial(_numbers, run)
        yield partial(_evidence, run)


def _promotion(content: str) -> Facts:
    """Every entry of the record that made the version champion or ended that; the gate's word."""
    now = alias_moves.current_alias_state()
    version = registration.find_by_content(now.store, now.name, content)
    if version is None:
        return {}
    rows = [
        {
            "when": format_time(e.when),
            "who": e.who,
            "what": f"{'made' if e.moves[CHAMPION][1] == version.number else 'replaced as'} "
            f"champion by {e.action}",
            "why": e.why,
        }
        for e in now.log.changes(CHAMPION)
        if version.number in e.moves[CHAMPION]
    ]
    decision = promotion_decision.recorded_decision(version.tags)
    if decision is None:
        return {"promotion": rows}
    head, rules = decision.table
    return {"promotion": rows, "gate": {**decision.record, "head": head, "rows": rules}}


def _evidence(run: StoredRun) -> Facts:
    """Predictions and examples, from the files that `evaluate` logged."""
    with tempfile.TemporaryDirectory() as scratch:
        predictions, examples = (
            Path(run.store.client.download_artifacts(run.run_id, f"evaluation/{name}", scratch))
            for name in ("predictions.csv", "examples.png")
        )
        shown = base64.b64encode(examples.read_bytes()).decode()
        return {"confusion": _confusion(predictions), "examples": shown}


def _numbers(run: StoredRun) -> Facts:
    """Accuracy, interval and calibration on either split."""
    flat = run.store.client.get_run(run.run_id).data.metrics
    found: Facts = {}
    for split in ("test", "validation"):
        n, accuracy = flat.get(f"{split}_n"), flat.get(f"{split}_accuracy")
        if n and accuracy is not None:
            right = round(accuracy * n)
            facts = {
                "n": int(n),
                "accuracy": accuracy,
                "interval": scores.wilson_interval(right, int(n)),
            }
            found[split] = facts | {"ece": flat.get(f"{split}_ece")}
    return found | ({"parameters": int(flat["parameters"])} if "parameters" in flat else {})


def _confusion(predictions: Path) -> Facts:
    """The confusion matrix, rows are what was written, and the recall of each class."""
    with predictions.open(newline="", encoding="utf-8") as file:
        pairs = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(file))
    classes = sorted({name for pair in pairs for name in pair})
    matrix = [[pairs[actual, predicted] for predicted in classes] for actual in classes]
    return {"classes": classes, "counts": matrix, "recall": _recall(matrix)}


def _recall(matrix: list[list[int]]) -> list[Facts]:
    """Per class how many pictures, how many rightly read, and the share's 95 % interval."""
    rows = [(sum(row), row[i]) for i, row in enumerate(matrix)]
    return [{"n": n, "right": k, "interval": scores.wilson_interval(k, n)} for n, k in rows if n]
