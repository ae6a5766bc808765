"""What `digits` does about training: results, recipes, searches, and their pages."""

import sys
from functools import partial
from json import dumps
from typing import Annotated, Any

import typer

from stages.lib import files
from stages.lib.errors import guarded
from stages.lib.table import aligned

app = typer.Typer(rich_markup_mode=None)
NEXT = """\
next        . .venv/bin/activate
            digits ui                                the runs, in a browser
            dvc exp run -S train.learning_rate=0.01  another value
            dvc exp run $(digits recipe cnn)          another network
            dvc metrics diff                         what it changed"""


@app.command()
def results() -> None:
    """Show the trained model: its scores, its version, its run."""
    root = files.workspace()
    trained, tested, registered = (
        files.read_json(root / f"metrics/{name}.json") for name in ("train", "evaluate", "register")
    )
    manifest = files.read_json(root / "models/digits" / files.MANIFEST)
    print(
        aligned(
            ["", "accuracy", "95 % interval", "pictures", "loss", "ECE"],
            [_scores("validation", trained, "validation_"), _scores("test", tested, "")],
        )
    )
    print()
    print(f"network     {manifest['kind']}, {trained['parameters']:,} parameters")
    place = "no alias" if registered["alias"] == "none" else registered["alias"]
    print(f"registered  {registered['name']} version {registered['version']}, {place}")
    print(f"MLflow run  {manifest['run_id']}")
    print()
    print(NEXT)


def _scores(name: str, metrics: dict[str, Any], prefix: str) -> list[str]:
    """A row of the table of results."""
    low, high = metrics[f"{prefix}accuracy_interval"]
    share = metrics[f"{prefix}accuracy"]
    interval = f"{low:.2%} to {high:.2%}"
    loss, error = metrics[f"{prefix}loss"], metrics[f"{prefix}ece"]
    return [
        name,
        f"{share:.2%}",
        interval,
        f"{metrics[f'{prefix}n']:,}",
        f"{loss:.4f}",
        f"{error:.2%}",
    ]


@app.command()
def report(
    seeds: Annotated[int, typer.Option(min=2, help="Models per recipe.")] = 5,
    recipes: Annotated[
        str, typer.Option(help="Recipes of params.yaml, separated by commas; all by default.")
    ] = "",
) -> None:
    """Train several seeds of each recipe and write the table."""
    from stages.lib import params
    from stages.report import report as measure  # 5 s: torch and MLflow

    table, values = files.workspace() / "metrics/report.md", params.load()
    chosen = recipes.split(",") if recipes else list(values.recipes)
    print(measure(values, chosen, seeds, table))


@app.command()
def recipe(name: Annotated[str, typer.Argument(help="A recipe of params.yaml.")]) -> None:
    """Print a recipe as options: `dvc exp run $(digits recipe cnn)`."""
    from stages.lib import params

    values = params.load(files.workspace() / "params.yaml")
    params.recipe(values, name)
    changes = values.recipes[name].items()
    texts = ((key, dumps(value, separators=(",", ":")).strip('"')) for key, value in changes)
    print(" ".join(f"-S {key}={text}" for key, text in texts))  # in $() quotes would stay


@app.command()
def tune(
    workers: Annotated[int, typer.Option(help="Processes; they share train.threads.")] = 1,
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is better.")] = False,
) -> None:
    """Search for better values; goes on after Ctrl-C.

    The section tune of params.yaml says what is searched, how and for how long.
    """
    from stages.tune import tune as search  # 5 s: torch, MLflow and Optuna

    sys.exit(guarded("tune", lambda: search(workers, storage, apply=apply)))


@app.command()
def dashboard(
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Open Optuna Dashboard on this computer: the study as it runs."""
    from stages.lib import params
    from stages.tuning.dashboard import serve_dashboard

    serve_dashboard(params.load(files.workspace() / "params.yaml").tune, storage, port)


@app.command()
def ui(port: Annotated[int, typer.Option(help="First port to try.")] = 5000) -> None:
    """Open the MLflow UI on this computer: runs, metrics, models."""
    from stages.lib.tracking.ui import serve_ui  # 2 s: MLflow

    serve_ui(port)


@app.command()
def send() -> None:
    """Send what was kept here while the tracking server was away."""
    from stages.lib import params
    from stages.lib.tracking import outbox  # 2 s: MLflow
    from stages.register import decide

    root = files.workspace()
    rules = params.load(root / "params.yaml").register_
    validation = root / "data/splits/validation.npz"
    print(outbox.send(partial(decide, rules=rules, validation=validation)))
