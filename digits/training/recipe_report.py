"""Train several seeds of each recipe, score each once, and write the table of `digits report`.

The scores of each seed are kept in .state/report, so an interrupted report continues. What a
recipe changes is in params.yaml; training and scoring are those of the stages.
"""

import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from digits.evaluation.evaluate_model import evaluate
from digits.evaluation.scores import CONFIDENCE_LEVEL
from digits.project import atomic_files, code_hash, hashing, params_file, workspace
from digits.project.params_schema import Params
from digits.tracking import run_context
from digits.training.train_model import train

HEAD = "recipe | parameters | epochs | test accuracy, mean | 95 % interval | sd | ECE | training"
SECTIONS = ("split", "model", "augment", "train", "evaluate")
Row = dict[str, Any]


def write_report(values: Params, recipes: list[str], seeds: int, table: Path) -> str:
    """Train and score `seeds` models of each of `recipes`; write and return the table.

    Each model is scored on the test images once. No model is registered.
    """
    chosen = {name: params_file.with_recipe(values, name) for name in recipes}
    rows = []
    for name, recipe in chosen.items():
        changes = ({"train.seed": seed} for seed in range(1, seeds + 1))
        numbers = [_measure(name, params_file.with_changes(recipe, c, name)) for c in changes]
        rows.append(_table_row(name, numbers))
    head = f"| {HEAD} |"
    footnote = _footnote(values, seeds, numbers[0]["n"])
    text = "\n".join([head, re.sub("[^|]+", "---", head), *rows, "", footnote, ""])
    atomic_files.write_bytes(table, text.encode())
    return text


def _measure(recipe: str, values: Params) -> Row:
    """Return the numbers of one model: of a training now, or of an earlier report."""
    plain = values.model_dump(mode="json", by_alias=True)
    decisive = {name: plain[name] for name in ("data", *SECTIONS)}
    decisive["code"] = code_hash.source_hashes(Path(__file__))
    path = workspace.checkout_root() / f".state/report/{hashing.json_sha256(decisive)[:32]}.json"
    if not path.exists():
        print(f"{recipe}, seed {values.train.seed}", flush=True)
        atomic_files.write_json(path, _train_and_score(values))
    return atomic_files.read_json(path)


def _train_and_score(values: Params) -> Row:
    """Train and evaluate one model in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, splits = Path(temporary), ("train", "validation", "test")
        training, validation, test = (Path(f"data/splits/{name}.npz") for name in splits)
        fitted = {name: folder / name for name in ("trained", "history", "metrics")}
        names = ("metrics", "classes", "predictions", "reliability", "robustness", "pictures")
        scored = {name: folder / "test" / name for name in names}
        start = time.perf_counter()
        train(values.model, values.augment, values.train, training, validation, **fitted)
        seconds = time.perf_counter() - start
        evaluate(values.evaluate, fitted["trained"], test, fitted["history"], **scored)
        numbers = [atomic_files.read_json(path) for path in (fitted["metrics"], scored["metrics"])]
        return {**numbers[0], **numbers[1], "epochs": values.train.epochs, "seconds": seconds}


def _table_row(name: str, rows: list[Row]) -> str:
    """Format the numbers of all seeds of a recipe as one line of the table."""
    shares, errors, times = ([float(r[k]) for r in rows] for k in ("accuracy", "ece", "seconds"))
    mean, spread = statistics.fmean(shares), statistics.stdev(shares)
    half = stdtrit(len(rows) - 1, (1 + CONFIDENCE_LEVEL) / 2) * spread / len(rows) ** 0.5
    size = f"{rows[0]['parameters']:,} | {rows[0]['epochs']}"
    interval = f"{mean - half:.2%} to {mean + half:.2%}"
    rest = f"{spread:.2%} | {statistics.fmean(errors):.2%} | {statistics.median(times):.0f} s"
    return f"| {name} | {size} | **{mean:.2%}** | {interval} | {rest} |"


def _footnote(values: Params, seeds: int, images: int) -> str:
    """Describe what the numbers are and where they were measured."""
    machine = run_context.environment_tags()
    return (
        f"{seeds} seeds of each recipe. Each model was scored once on the "
        f"{images:,} test images. Interval: of the mean (Student's t). ECE: mean. "
        f"Training: median time of the whole step, {values.train.threads} threads of an "
        f"{machine['env.cpu']}, torch {machine['env.torch']}."
    )
