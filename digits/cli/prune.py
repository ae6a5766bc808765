"""`digits prune`: remove the files of old registered versions."""

from typing import Annotated

from typer import Option


def prune(
    keep: Annotated[int, Option(min=0, metavar="N", help="Spare the N newest versions.")] = 10,
    yes: Annotated[bool, Option("--yes", help="Remove the files without asking.")] = False,
) -> None:
    """Remove the files of old registered versions.

    Lists the versions first, then asks. Their entries, runs and metrics stay in the registry.

    Files are spared if their version has an alias or was ever champion, if a git tag's dvc.lock
    names their model, or if another version shares them.
    """
    from digits.registry import pruning  # 2 s: MLflow

    print(pruning.prune_versions(keep, yes=yes))
