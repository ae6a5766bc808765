"""The `digits` command: one subcommand per thing a person runs."""

import json
import sys
from typing import Annotated, Any, NoReturn

import typer

from stages.lib import files, stage
from stages.lib.errors import UserError
from stages.lib.table import aligned

app = typer.Typer(
    help="Handwritten digits: look at what was trained, compare it, publish it.\n\n"
    "`dvc repro` trains; the values are in params.yaml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
NEXT = """\
next        . .venv/bin/activate
            digits ui                                the runs, in a browser
            dvc exp run -S train.learning_rate=0.01  another value
            dvc exp run -S model.kind=cnn            another network
            dvc metrics diff                         what it changed"""


def main() -> NoReturn:
    """Run the command line; see `stage.guarded` for the exit statuses."""
    sys.exit(stage.guarded("digits", app))


@app.command()
def results() -> None:
    """Show the model in models/digits: what it is, what it scored, where it is registered."""
    root = files.workspace()
    trained, tested, registered = (
        files.read_json(root / f"metrics/{name}.json") for name in ("train", "evaluate", "register")
    )
    manifest = files.read_json(root / "models/digits" / files.MANIFEST)
    _print_table(
        ["", "accuracy", "95 % interval", "pictures", "loss", "ECE"],
        [_scores("validation", trained, "validation_"), _scores("test", tested, "")],
    )
    print()
    print(f"network     {manifest['kind']}, {trained['parameters']:,} parameters")
    print(
        f"registered  {registered['name']} version {registered['version']}, {registered['alias']}"
    )
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
def versions() -> None:
    """List the registered versions, newest first."""
    from stages.lib import params
    from stages.lib.tracking import registry  # 2 s: MLflow

    name = params.load(files.workspace() / "params.yaml").register_.name
    found = registry.versions(name)
    if not found:
        raise UserError(f"{name} has no version yet; `dvc repro` registers one")
    _print_table(
        ["version", "alias", "validation", "test", "registered (UTC)", "commit", "run"],
        [_version(v) for v in found],
    )


def _version(version: Any) -> list[str]:
    """A row of the table of versions."""
    scores = [version.validation_accuracy, version.test_accuracy]
    return [
        str(version.number),
        " ".join(version.aliases),
        *("" if score is None else f"{score:.2%}" for score in scores),
        f"{version.created:%Y-%m-%d %H:%M}",
        version.commit[:10],
        version.run_id[:8],
    ]


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    print(aligned(head, rows))


@app.command()
def report(
    seeds: Annotated[int, typer.Option(min=2, help="Models per recipe.")] = 5,
    recipes: Annotated[
        str, typer.Option(help="Recipes of params.yaml, separated by commas; all by default.")
    ] = "",
) -> None:
    """Train several seeds of each recipe and write the table of accuracies and times."""
    from stages.lib import params
    from stages.report import report as measure  # 5 s: torch and MLflow

    table, values = files.workspace() / "metrics/report.md", params.load()
    chosen = recipes.split(",") if recipes else list(values.recipes)
    print(measure(values, chosen, seeds, table))


@app.command()
def recipe(name: Annotated[str, typer.Argument(help="A recipe of params.yaml.")]) -> None:
    """Print a recipe as options of DVC: `dvc exp run $(digits recipe cnn)`."""
    from stages.lib import params

    values = params.load(files.workspace() / "params.yaml")
    params.recipe(values, name)
    changes = values.recipes[name].items()
    texts = ((key, json.dumps(value, separators=(",", ":")).strip('"')) for key, value in changes)
    print(" ".join(f"-S {key}={text}" for key, text in texts))  # in $() quotes would stay


@app.command()
def tune(
    workers: Annotated[int, typer.Option(help="Processes; they share train.threads.")] = 1,
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is better.")] = False,
) -> None:
    """Search for better values, as the tune section of params.yaml says; goes on after Ctrl-C."""
    from stages.tune import tune as search  # 5 s: torch, MLflow and Optuna

    sys.exit(stage.guarded("tune", lambda: search(workers, storage, apply=apply)))


@app.command()
def dashboard(
    storage: Annotated[str | None, typer.Option(help="Address that replaces tune.storage.")] = None,
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Open Optuna Dashboard on this computer: the study while it runs, and afterwards."""
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
    """Send what was kept here while the tracking server could not be reached."""
    from stages.lib.tracking import outbox  # 2 s: MLflow
    from stages.register import decide

    print(outbox.send(decide))


if __name__ == "__main__":
    main()
