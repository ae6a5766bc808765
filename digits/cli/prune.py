"""`digits prune`: remove the files of old registered versions."""

import click

from digits.cli.options import json_option

KEEP = "Spare the N newest versions."


@click.option("--keep", type=click.IntRange(min=0), metavar="N", default=10, help=KEEP)
@click.option("--yes", is_flag=True, help="Remove the files without asking.")
@json_option
def prune(keep: int, *, yes: bool, as_json: bool) -> None:
    """Remove the files of old registered versions.

    Lists the versions first, then asks; --json asks nothing and removes files only with --yes.
    Entries, runs and metrics stay in the registry.

    Files are spared if their version has an alias or was ever champion, if a git tag's dvc.lock
    names their model, or if another version shares them.

    Example: digits prune --keep 5
    """
    from digits.registry import pruning  # 2 s: MLflow

    print(pruning.prune_versions(keep, yes=yes, as_json=as_json))
