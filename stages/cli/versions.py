"""What `digits` does with versions: promote, record, fetch, check, compare, trace, prune them."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def versions() -> None:
    """List the registered versions, with what the gate said of each."""
    from stages.versions import versions as listed  # 2 s: MLflow

    listed()


@app.command()
def history(
    at: Annotated[
        str | None, typer.Option(help="Who was champion then? 2026-11-20T12:00 is UTC.")
    ] = None,
    accept: Annotated[
        str | None, typer.Option(help="Go on after tampering; the text says why.")
    ] = None,
) -> None:
    """Show every change of an alias: when, by whom, why.

    The record is checked: entries that were edited or removed are named.
    """
    from stages import history as told  # 2 s: MLflow

    if accept is not None:
        print(told.accept(accept))
    elif at is not None:
        told.at(at)
    else:
        told.history()


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A number or an alias.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the record.")],
) -> None:
    """Make a version champion by hand, if its files are right."""
    from stages.promote import promote as made  # 2 s: MLflow

    print(made(version, reason))


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept in the record.")] = "no reason given",
) -> None:
    """Make the champion before this one champion again.

    A second rollback goes further back, never to a version that was rolled back from.
    """
    from stages.promote import rollback as made  # 2 s: MLflow

    print(made(reason))


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=0, help="Newest versions that stay whole.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the files of old versions; shows them and asks first.

    A champion, a former champion and what a git tag names stay.
    """
    from stages.prune import prune as removed  # 2 s: MLflow

    print(removed(keep, yes=yes))


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
