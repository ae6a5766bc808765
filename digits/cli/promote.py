"""`digits promote`: make a version champion by hand, if its files are right."""

from typing import Annotated

import typer


def promote(
    version: Annotated[str, typer.Argument(help="A number or an alias.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the record.")],
) -> None:
    """Make a version champion by hand, if its files are right."""
    from digits.registry import promotion  # 2 s: MLflow

    print(promotion.promote_manually(version, reason))
