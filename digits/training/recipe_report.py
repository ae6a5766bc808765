"""Train several seeds of each recipe, score each once, and write the table of the README.

    digits report --seeds 5

What a seed came to is kept in .state/report, so an interrupted report goes on where it was.
"""

import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from digits.evaluation.evaluate_model import evaluate
from digits.evaluation.scores import CONFIDENCE_LEVEL
from digits.project import atomic_files, code_hash, hashing, params_file, workspace
from digits.project.params_schema import Params
from digits.tracking import run_context
from digits.training.train_model import train

HEAD = (
    "| recipe | parameters | epochs | test accuracy, mean | 95 % interval | sd | ECE | training |"
)
Row = dict[str, Any]


def write_report(values: Params, recipes: list[str], seeds: int, table: Path) -> str:
    """Train and score `seeds` models of each of `recipes`; write and return the table.

    Every model is scored on the test pictures once. Nothing is registered.
    """
    chosen = {name: params_file.with_recipe(values, name) for name in recipes}
    rows = [_table_row(name, _measure_recipe(name, one, seeds)) for name, one in chosen.items()]
    text = "\n".join([HEAD, re.sub("[^|]+", "---", HEAD), *rows, "", _footnote(values, seeds), ""])
    atomic_files.write_bytes(table, text.encode())
    return text


def _measure_recipe(name: str, values: Params, seeds: int) -> list[Row]:
    """What the models of a recipe came to."""
    plan = [params_file.with_changes(values, {"train.seed": s}, name) for s in range(1, seeds + 1)]
    return [_measure_once(f"{name}, seed {one.train.seed}", one) for one in plan]


def _measure_once(name: str, values: Params) -> Row:
    """What one model came to: trained now, or read from what an earlier report left."""
    plain = values.model_dump(mode="json", by_alias=True)
    decisive = {name: plain[name] for name in ("split", "model", "augment", "train", "evaluate")}
    decisive["code"] = code_hash.source_hashes(Path(__file__))
    kept = (
        workspace.checkout_root() / ".state/report" / f"{hashing.json_sha256(decisive)[:32]}.json"
    )
    if not kept.exists():
        print(name, flush=True)
        atomic_files.write_json(kept, _train_and_score(values))
    return atomic_files.read_json(kept)


def _train_and_score(values: Params) -> Row:
    """Train and evaluate one model in a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, splits = Path(scratch), Path("data/splits")
        fitted = {name: folder / name for name in ("trained", "history", "metrics")}
        names = ("metrics", "classes", "predictions", "reliability", "robustness", "pictures")
        scored = {name: folder / "test" / name for name in names}
        parts = splits / "train.npz", splits / "validation.npz"
        start = time.perf_counter()
        train(values.model, values.augment, values.train, *parts, **fitted)
        seconds = time.perf_counter() - start
        inputs = fitted["trained"], splits / "test.npz", fitted["history"]
        evaluate(values.evaluate, *inputs, **scored)
        numbers = [atomic_files.read_json(path) for path in (fitted["metrics"], scored["metrics"])]
        return {**numbers[0], **numbers[1], "seconds": seconds}


def _table_row(name: str, found: list[Row]) -> str:
    """One line of the table."""
    accuracies = [float(row["accuracy"]) for row in found]
    errors = statistics.fmean(float(row["ece"]) for row in found)
    seconds = statistics.median(float(row["seconds"]) for row in found)
    mean = statistics.fmean(accuracies)
    spread = statistics.stdev(accuracies)
    half = student.ppf((1 + CONFIDENCE_LEVEL) / 2, len(found) - 1) * spread / len(found) ** 0.5
    cells = [
        name,
        f"{found[0]['parameters']:,}",
        f"{found[0]['epochs']}",
        f"**{mean:.2%}**",
        f"{mean - half:.2%} to {mean + half:.2%}",
        f"{spread:.2%}",
        f"{errors:.2%}",
        f"{seconds:.0f} s",
    ]
    return f"| {' | '.join(cells)} |"


def _footnote(values: Params, seeds: int) -> str:
    """What the numbers are of, and where they were measured."""
    machine = run_context.environment_tags()
    return (
        f"{seeds} seeds of each recipe. Each model was scored once on the 10,000 "
        "official test pictures. Interval: of the mean (Student's t). ECE: mean. "
        f"Training: median time of the whole step, {values.train.threads} threads of an "
        f"{machine['env.cpu']}, torch {machine['env.torch']}."
    )
