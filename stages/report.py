"""Train several seeds of each recipe, score each once, and write the table of the README.

    digits report --seeds 5

What a seed came to is kept in .state/report, so an interrupted report goes on where it was.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from stages.evaluate import evaluate
from stages.lib import files, params, schema, stage
from stages.lib.scores import LEVEL
from stages.lib.tracking import lineage
from stages.train import train

HEAD = (
    "| recipe | parameters | epochs | test accuracy, mean | 95 % interval | sd | ECE | training |"
)
Row = dict[str, Any]


def report(values: schema.Params, recipes: list[str], seeds: int, table: Path) -> str:
    """Train and score `seeds` models of each of `recipes`; write and return the table.

    Every model is scored on the test pictures once. Nothing is registered.
    """
    plans = {name: _seeded(params.recipe(values, name), seeds) for name in recipes}
    rows = [_row(name, [_measured(name, p) for p in plan]) for name, plan in plans.items()]
    text = "\n".join(
        [HEAD, "|---|---|---|---|---|---|---|---|", *rows, "", _footnote(values, seeds), ""]
    )
    files.write_bytes(table, text.encode())
    return text


def _seeded(values: schema.Params, seeds: int) -> list[schema.Params]:
    """`values` with each of `seeds` seeds."""
    return [params.changed(values, {"train.seed": s}, "seed") for s in range(1, seeds + 1)]


def _measured(name: str, values: schema.Params) -> Row:
    """What one model came to: trained now, or read from what an earlier report left."""
    plain = values.model_dump(mode="json", by_alias=True)
    decisive = {name: plain[name] for name in ("split", "model", "augment", "train", "evaluate")}
    decisive["code"] = stage.source_hashes(Path(__file__))
    kept = files.workspace() / ".state/report" / f"{files.digest(decisive)[:32]}.json"
    if not kept.exists():
        print(f"{name}, seed {values.train.seed}", flush=True)
        files.write_json(kept, _measure(values))
    return files.read_json(kept)


def _measure(values: schema.Params) -> Row:
    """Train and evaluate in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trained, history = folder / "model", folder / "history.csv"
        numbers = folder / "train.json"
        start = time.perf_counter()
        train(
            values.model,
            values.augment,
            values.train,
            trained=trained,
            history=history,
            metrics=numbers,
        )
        seconds = time.perf_counter() - start
        evaluate(
            values.evaluate,
            trained,
            history=history,
            metrics=folder / "evaluate.json",
            classes=folder / "classes.csv",
            predictions=folder / "predictions.csv",
            reliability=folder / "reliability.csv",
            robustness=folder / "robustness.csv",
            pictures=folder / "pictures",
        )
        tested = files.read_json(folder / "evaluate.json")
        return {**files.read_json(numbers), **tested, "seconds": seconds}


def _row(name: str, found: list[Row]) -> str:
    """One line of the table."""
    accuracies = [float(row["accuracy"]) for row in found]
    errors = statistics.fmean(float(row["ece"]) for row in found)
    seconds = statistics.median(float(row["seconds"]) for row in found)
    mean = statistics.fmean(accuracies)
    spread = statistics.stdev(accuracies) if len(found) > 1 else float("nan")
    half = student.ppf((1 + LEVEL) / 2, len(found) - 1) * spread / len(found) ** 0.5
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


def _footnote(values: schema.Params, seeds: int) -> str:
    """What the numbers are of, and where they were measured."""
    machine = lineage.environment(values.train.threads)
    return (
        f"{seeds} seeds of each recipe. Each model was scored once on the 10,000 "
        "official test pictures. Interval: of the mean (Student's t). ECE: mean. "
        f"Training: median time of the whole step, {values.train.threads} threads of an "
        f"{machine['env.cpu']}, torch {machine['env.torch']}."
    )
