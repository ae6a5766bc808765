"""`digits rollback`: make the champion before this one champion again."""

from typing import Annotated

import typer


def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept in the record.")] = "no reason given",
) -> None:
    """Make the champion before this one champion again.

    A second rollback goes further back, never to a version that was rolled back from.
    """
    from digits.registry import promotion  # 2 s: MLflow

    print(promotion.rollback(reason))
