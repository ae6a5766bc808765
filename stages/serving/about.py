"""What is known of a model: where it comes from, why it serves, and how good it is.

What is not recorded anywhere is left out. The numbers are those of the model's own run.
"""

import base64
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stages.lib import files, gate, scores
from stages.lib.tracking import address, aliases, find, logged_model, origin, registry, resolve
from stages.lib.tracking.entry import CHAMPION, written
from stages.lib.tracking.store import Target
from stages.lib.tracking.version import Version

Facts = dict[str, Any]
EVIDENCE = "evaluation"  # where a run keeps what `evaluate` wrote
PREDICTIONS = "predictions.csv"
EXAMPLES = "examples.png"
LARGEST = 2**20  # bytes of either


def about(folder: Path) -> Facts:
    """What the model's page shows of the model in `folder`; JSON alone. May take seconds.

    Raises UserError when there is no model; whatever else cannot be had is left out and told
    on stderr. A store inside the checkout is not made by asking it.
    """
    manifest = files.read_json(folder / files.MANIFEST)
    content, run_id = str(manifest["content_sha256"]), str(manifest["run_id"])
    found: Facts = {"kind": manifest["kind"], "run": {"id": run_id}}
    if address.configured() or address.sqlite_file(address.embedded()).exists():
        traced = partial(origin.trace, str(folder))
        for part in (traced, partial(_promotion, content), partial(_run, run_id)):
            found |= _told(part)
    return found


def _told(part: Callable[[], Facts]) -> Facts:
    """What `part` finds; a store that fails is no reason not to serve."""
    try:
        return part()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        print(f"note: the model's page lacks facts ({reason})", file=sys.stderr)
        return {}


def _promotion(content: str) -> Facts:
    """Every entry of the record that made the version champion or ended that; the gate's word."""
    where = resolve.source()
    version = registry.find_in(where, resolve.model_name(), content)
    if version is None:
        return {}
    record = aliases.standing(where, version.name).record
    entries = [e for e in record.changes(CHAMPION) if version.number in e.moves[CHAMPION]]
    rows = [
        {
            "when": written(e.when),
            "who": e.who,
            "what": f"{'made' if e.moves[CHAMPION][1] == version.number else 'replaced as'} "
            f"champion by {e.action}",
            "why": e.why,
        }
        for e in entries
    ]
    return {"promotion": rows, **_gate(version)}


def _gate(version: Version) -> Facts:
    decision = gate.recalled(version.tags)
    if decision is None:
        return {}
    head, rows = decision.table
    facts = {"verdict": decision.verdict, "why": decision.why, "mode": decision.mode}
    return {"gate": {**facts, "n": decision.n, "head": head, "rows": rows}}


def _run(run_id: str) -> Facts:
    """Numbers, predictions and examples of the run."""
    run = find.run(run_id)
    if run is None:
        return {}
    found = run.store.client.get_run(run.run_id)
    evidence = partial(_evidence, run, f"{found.info.artifact_uri}/{EVIDENCE}")
    return _numbers(found.data.metrics) | _told(evidence)


def _evidence(run: Target, place: str) -> Facts:
    """Predictions and examples, from the files of a run."""
    with tempfile.TemporaryDirectory() as scratch:
        predictions, examples = (
            logged_model.fetch(run.store, f"{place}/{name}", Path(scratch))
            for name in (PREDICTIONS, EXAMPLES)
        )
        return _predictions(predictions) | _picture(examples)


def _numbers(flat: dict[str, Any]) -> Facts:
    """Accuracy, interval and calibration on either split, from names as a run has them."""
    found: Facts = {}
    for split in ("test", "validation"):
        n, accuracy = flat.get(f"{split}_n"), flat.get(f"{split}_accuracy")
        if n and accuracy is not None:
            right = round(accuracy * n)
            facts = {"n": int(n), "accuracy": accuracy, "interval": scores.interval(right, int(n))}
            found[split] = facts | {"ece": flat.get(f"{split}_ece")}
    return found | ({"parameters": int(flat["parameters"])} if "parameters" in flat else {})


def _predictions(path: Path) -> Facts:
    """The confusion matrix, rows are what was written, and the recall of each class."""
    with path.open(newline="", encoding="utf-8") as file:
        pairs = Counter((row["actual"], row["predicted"]) for row in csv.DictReader(file))
    classes = sorted({name for pair in pairs for name in pair})
    matrix = [[pairs[actual, predicted] for predicted in classes] for actual in classes]
    return {"confusion": {"classes": classes, "counts": matrix, "recall": _recall(matrix)}}


def _recall(matrix: list[list[int]]) -> list[Facts]:
    """Per class how many pictures, how many rightly read, and the share's 95 % interval."""
    rows = [(sum(row), row[i]) for i, row in enumerate(matrix)]
    return [{"n": n, "right": k, "interval": scores.interval(k, n)} for n, k in rows if n]


def _picture(path: Path) -> Facts:
    if path.stat().st_size > LARGEST:
        return {}
    return {"examples": base64.b64encode(path.read_bytes()).decode()}
