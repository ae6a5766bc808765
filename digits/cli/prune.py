"""`digits prune`: remove the files of old versions; shows them and asks first."""

from typing import Annotated

import typer


def prune(
    keep: Annotated[int, typer.Option(min=0, help="Newest versions that stay whole.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the files of old versions; shows them and asks first.

    A champion, a former champion and what a git tag names stay.
    """
    from digits.registry.pruning import prune_versions as removed  # 2 s: MLflow

    print(removed(keep, yes=yes))
