"""`digits promote`: make a registered version the champion."""

from digits.cli.options import reason_option, version_argument


@version_argument
@reason_option(required=True)
def promote(version: str, reason: str) -> None:
    """Make a registered version the champion.

    Prints the scores of both versions, and a warning if the promotion rules (`register` in
    params.yaml) had decided against this one. The version's files are verified first: if they are
    not what was registered, nothing changes.

    Example: digits promote 3 --reason "best on photographs"
    """
    from digits.registry import promotion  # 2 s: MLflow

    print(promotion.promote_manually(version, reason))
