"""`digits rollback`: make the previous champion the champion again."""

from digits.cli.options import reason_option


@reason_option(required=True)
def rollback(reason: str) -> None:
    """Make the previous champion the champion again.

    A second rollback goes one champion further back. It never returns to a version that was
    rolled back from; `digits promote` does that.

    Example: digits rollback --reason "misreads sevens"
    """
    from digits.registry import promotion  # 2 s: MLflow

    print(promotion.rollback(reason))
