"""The `digits` command: one subcommand per thing a person runs."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from stages.lib import files
from stages.lib.errors import UserError, guarded
from stages.lib.table import aligned

app = typer.Typer(
    help="Handwritten digits: read them, look at what was trained, compare it, publish it.\n\n"
    "`dvc repro` trains; the values are in params.yaml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich takes as long as reading a digit
)
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A model's folder, or champion, challenger or a version's number. "
        "[default: models/digits of this project]",
    ),
]
SeveralOption = Annotated[
    bool | None,
    typer.Option(
        "--multi/--single", help="Several digits on each picture, or one. [default: automatic]"
    ),
]
NEXT = """\
next        . .venv/bin/activate
            digits ui                                the runs, in a browser
            dvc exp run -S train.learning_rate=0.01  another value
            dvc exp run -S model.kind=cnn            another network
            dvc metrics diff                         what it changed"""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, or `arguments`; see `guarded` for the exit statuses."""
    sys.exit(guarded("digits", lambda: app(arguments)))


@app.command()
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Pictures, folders, patterns, - for standard input."
        ),
    ],
    *,
    model: ModelOption = None,
    several: SeveralOption = None,
    top: Annotated[int, typer.Option(min=1, help="Answers per digit, the likeliest first.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="A list of objects, one per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table with a row per picture.")] = False,
    save_preview: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw what the network saw into this new folder."),
    ] = None,
) -> None:
    """Say which digits are on pictures: PNG, JPEG, WebP, BMP, GIF or TIFF, of any size.

    Folders are searched with all below them, in order of names. Hidden files, and files
    whose extension is not a picture's, are left out there; of a file that you name, only
    the content counts.

    A picture without a digit gets `no digit`; what may be none is marked `doubtful`.
    Rows of several digits are separated by `/`. With --json and --csv, files that
    cannot be read are listed too, with the status `error`.

    Exit status: 0 when every file could be read, 1 when some could not, 2 when none could.
    """
    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")
    from stages.predict import predict as label  # 0.2 s: ONNX Runtime and OpenCV

    form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
    status = label(paths, model=model, several=several, top=top, form=form, previews=save_preview)
    raise typer.Exit(status)


@app.command()
def score(
    folder: Annotated[
        Path, typer.Argument(help="Pictures with a labels.csv, or in a sub-folder per class.")
    ],
    *,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of labels elsewhere.")
    ] = None,
    model: ModelOption = None,
    several: SeveralOption = None,
    compare: Annotated[
        Literal["plain"] | None,
        typer.Option(help="Score plain resizing to 28 x 28 as well, for single digits."),
    ] = None,
    mistakes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the mistakes into this PNG.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="All numbers as one object.")] = False,
) -> None:
    """Say how good the model is on labelled pictures of your own.

    labels.csv has the columns `file` (relative to the table) and `label`, and may have
    `writer`. The label of several digits has / between rows. A picture that cannot be
    read, or on which no digit is found, counts as wrong.
    """
    from json import dumps

    from stages.lib.tally import report  # 2 s: scikit-learn
    from stages.score import score as measure

    plain = compare == "plain"
    numbers = measure(folder, labels, model=model, several=several, plain=plain, mistakes=mistakes)
    print(dumps(numbers, indent=2) if json else report(numbers))


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
    from stages.lib.tracking import pushed, registry  # 2 s: MLflow

    name = params.load(files.workspace() / "params.yaml").register_.name
    found = registry.versions(name)
    if not found:
        raise UserError(f"{name} has no version yet; `dvc repro` registers one")
    _print_table(
        ["version", "alias", "validation", "test", "registered (UTC)", "commit", "run"],
        [_version(v) for v in found],
    )
    if (note := pushed.note(found)) is not None:
        print(f"note: {note}")


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

    sys.exit(guarded("tune", lambda: search(workers, storage, apply=apply)))


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


@app.command()
def pull(
    model: Annotated[
        str, typer.Argument(help="An alias, a version, a run id or a git revision.")
    ] = "champion",
    to: Annotated[Path | None, typer.Option(help="Default: models/pulled/NAME-VERSION.")] = None,
) -> None:
    """Put a verified model on this disk, from the registry or from DVC's cache or remote."""
    from stages.pull import pull as fetch  # 2 s: MLflow

    found, folder = fetch(model, to)
    print(f"{found.name} is in {os.path.relpath(folder)}  {found.content[:12]}")


@app.command()
def lineage(
    model: Annotated[
        str, typer.Argument(help="A model file or folder, a run id, a version or a git revision.")
    ],
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show uncommitted changes.")] = False,
) -> None:
    """Say where a model comes from: run, version, commit, data, parameters."""
    from stages.lineage import lineage as told  # 2 s: MLflow

    print(told(model, as_json=json, diff=diff))


@app.command()
def verify(
    rebuild: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Build it again and compare the bytes.")
    ] = None,
) -> None:
    """Check every version and all that DVC tracks; status 1: not pushed, 2: not what it was."""
    from stages import verify as checking  # 2 s: MLflow

    if rebuild is not None:
        from stages.rebuild import rebuild as build

        raise typer.Exit(build(rebuild))
    raise typer.Exit(checking.show(checking.verify(_watched)))


def _watched(items: list[Any]) -> Any:
    """The items, while a line on stderr says how many are left and for how long."""
    from rich.console import Console
    from rich.progress import track

    return track(items, "reading", console=Console(stderr=True), transient=True)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A version, alias, run, git revision or folder.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    html: Annotated[Path | None, typer.Option(help="Write a page that needs no server.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Draw the pictures that tell them apart.")
    ] = None,
) -> None:
    """Compare two models on the validation pictures: accuracy, errors, parameters, speed."""
    from stages import compare as comparing  # 3 s: MLflow, matplotlib

    found = comparing.compare(a, b)
    comparing.write(found, html, png)
    print("\n".join(comparing.text(found)))


if __name__ == "__main__":
    main()
