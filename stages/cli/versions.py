"""What `digits` does with versions: list, fetch, check, compare them, trace them back."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.table import aligned

app = typer.Typer(rich_markup_mode=None)


@app.command()
def versions() -> None:
    """List the registered versions, newest first."""
    from stages.lib import params
    from stages.lib.tracking import pushed, registry  # 2 s: MLflow

    name = params.load(files.workspace() / "params.yaml").register_.name
    found = registry.versions(name)
    if not found:
        raise UserError(f"{name} has no version yet; `dvc repro` registers one")
    head = ["version", "alias", "validation", "test", "registered (UTC)", "commit", "run"]
    print(aligned(head, [_version(v) for v in found]))
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


@app.command()
def pull(
    model: Annotated[
        str, typer.Argument(help="An alias, a version, a run id or a git revision.")
    ] = "champion",
    to: Annotated[Path | None, typer.Option(help="Default: models/pulled/NAME-VERSION.")] = None,
) -> None:
    """Put a verified model on this disk.

    A version comes from the registry, the model of a git revision from DVC's cache or
    remote. What is not exactly what was registered or committed is refused.
    """
    from stages.pull import pull as fetch  # 2 s: MLflow

    found, folder = fetch(model, to)
    print(f"{found.name} is in {os.path.relpath(folder)}  {found.content[:12]}")


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A version, alias, run, git revision or folder.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    html: Annotated[Path | None, typer.Option(help="Write a page that needs no server.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Draw the pictures that tell them apart.")
    ] = None,
) -> None:
    """Compare two models: accuracy, errors, parameters, speed.

    Both label the validation pictures; the test pictures are not touched.
    """
    from stages import compare as comparing  # 3 s: MLflow, matplotlib

    found = comparing.compare(a, b)
    comparing.write(found, html, png)
    print("\n".join(comparing.text(found)))


@app.command()
def lineage(
    model: Annotated[
        str, typer.Argument(help="A model file or folder, a run id, a version or a git revision.")
    ],
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show uncommitted changes.")] = False,
) -> None:
    """Say where a model comes from: run, version, commit, data."""
    from stages.lineage import lineage as told  # 2 s: MLflow

    print(told(model, as_json=json, diff=diff))


@app.command()
def verify(
    rebuild: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Build it again and compare the bytes.")
    ] = None,
) -> None:
    """Check every version, and everything that DVC tracks.

    Exit status: 0 when all is well, 1 when something is not pushed, 2 when something is
    not what it was.
    """
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
