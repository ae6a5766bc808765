"""`digits prune`: remove the files of old registered versions."""

import click

KEEP = "Spare the N newest versions."


@click.option("--keep", type=click.IntRange(min=0), metavar="N", default=10, help=KEEP)
@click.option("--yes", is_flag=True, help="Remove the files without asking.")
def prune(keep: int, *, yes: bool) -> None:
    """Remove the files of old registered versions.

    Lists the versions first, then asks. Their entries, runs and metrics stay in the registry.

    Files are spared if their version has an alias or was ever champion, if a git tag's dvc.lock
    names their model, or if another version shares them.
    """
    from digits.registry import pruning  # 2 s: MLflow

    print(pruning.prune_versions(keep, yes=yes))
