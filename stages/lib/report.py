"""Train several seeds of each recipe, score each once, and write the table of the README.

    digits report --seeds 5

What a seed came to is kept in .state/report, so an interrupted report goes on where it was.
"""

import inspect
import re
import statistics
import tempfile
import time
from collections.abc import Callable
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
    chosen = {name: params.recipe(values, name) for name in recipes}
    rows = [_row(name, _measured(name, one, seeds)) for name, one in chosen.items()]
    text = "\n".join([HEAD, re.sub("[^|]+", "---", HEAD), *rows, "", _footnote(values, seeds), ""])
    files.write_bytes(table, text.encode())
    return text


def _measured(name: str, values: schema.Params, seeds: int) -> list[Row]:
    """What the models of a recipe came to."""
    plan = [params.changed(values, {"train.seed": s}, name) for s in range(1, seeds + 1)]
    return [_kept(f"{name}, seed {one.train.seed}", one) for one in plan]


def _kept(name: str, values: schema.Params) -> Row:
    """What one model came to: trained now, or read from what an earlier report left."""
    plain = values.model_dump(mode="json", by_alias=True)
    decisive = {name: plain[name] for name in ("split", "model", "augment", "train", "evaluate")}
    decisive["code"] = stage.source_hashes(Path(__file__))
    kept = files.workspace() / ".state/report" / f"{files.digest(decisive)[:32]}.json"
    if not kept.exists():
        print(name, flush=True)
        files.write_json(kept, _measure(values))
    return files.read_json(kept)


def _measure(values: schema.Params) -> Row:
    """Train and evaluate in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fitted, scored = _outputs(train, folder), _outputs(evaluate, folder)
        start = time.perf_counter()
        train(values.model, values.augment, values.train, **fitted)
        seconds = time.perf_counter() - start
        evaluate(values.evaluate, fitted["trained"], history=fitted["history"], **scored)
        numbers = [files.read_json(outputs["metrics"]) for outputs in (fitted, scored)]
        return {**numbers[0], **numbers[1], "seconds": seconds}


def _outputs(function: Callable[..., None], folder: Path) -> dict[str, Path]:
    """What a stage writes, by the names of its arguments, but below `folder`."""
    written = inspect.getfullargspec(function).kwonlydefaults or {}
    return {name: folder / path for name, path in written.items()}


def _row(name: str, found: list[Row]) -> str:
    """One line of the table."""
    accuracies = [float(row["accuracy"]) for row in found]
    errors = statistics.fmean(float(row["ece"]) for row in found)
    seconds = statistics.median(float(row["seconds"]) for row in found)
    mean = statistics.fmean(accuracies)
    spread = statistics.stdev(accuracies)
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
    machine = lineage.environment()
    return (
        f"{seeds} seeds of each recipe. Each model was scored once on the 10,000 "
        "official test pictures. Interval: of the mean (Student's t). ECE: mean. "
        f"Training: median time of the whole step, {values.train.threads} threads of an "
        f"{machine['env.cpu']}, torch {machine['env.torch']}."
    )
