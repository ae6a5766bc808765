"""`digits compare`: compare two models: accuracy, errors, parameters, speed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digits.cli.options import ModelArgument
from digits.project import atomic_files
from digits.project.text_table import format_table

if TYPE_CHECKING:
    from digits.evaluation.model_comparison import ModelComparison


def compare(
    a: ModelArgument,
    b: Annotated[str, typer.Argument(metavar="MODEL", help="The model to compare it with.")],
    html: Annotated[Path | None, typer.Option(help="Write a page that needs no server.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Draw the pictures that tell them apart.")
    ] = None,
) -> None:
    """Compare two models: accuracy, errors, parameters, speed.

    Both label the validation pictures; the test pictures are not touched.
    """
    from digits.evaluation import model_comparison  # 3 s: MLflow
    from digits.registry import model_reference

    models = [model_reference.resolve(name) for name in (a, b)]
    found = model_comparison.compare(a, b, models)
    write(found, html, png)
    print("\n".join(text(found)))


def write(found: "ModelComparison", html: Path | None, png: Path | None) -> None:
    """Write the comparison to files, where paths are given.

    Raises UserError, having written nothing, when something else than a comparison is there.
    """
    from digits.datasets import contact_sheet
    from digits.evaluation import comparison_report, model_comparison

    for path in filter(None, (html, png)):
        contact_sheet.check_overwritable(path, model_comparison.MADE_BY)
    if html is not None:
        atomic_files.write_bytes(html, comparison_report.render_page(found).encode())
    if png is not None:
        comparison_report.draw_disagreements(found, png)


def text(found: "ModelComparison") -> Iterator[str]:
    """The comparison as lines for a terminal."""
    sides = (found.a, found.b)
    for letter, side in zip("AB", sides, strict=True):
        yield f"{letter}  {side.name}  {side.content[:12]}"
    shares = [found.accuracy(side) for side in sides]
    rows = [
        ["validation accuracy", *(f"{share:.2%}" for share, _ in shares)],
        ["95 % interval", *(f"{low:.2%} to {high:.2%}" for _, (low, high) in shares)],
        ["right where the other errs", str(len(found.only_a)), str(len(found.only_b))],
        ["size", *(f"{side.size / 1e6:.2f} MB" for side in sides)],
        ["one picture", *(f"{side.seconds * 1e6:.0f} µs" for side in sides)],
    ]
    contest, (low, high) = found.result, found.result.interval
    yield f"\n{format_table(['', 'A', 'B'], rows + list(map(list, found.parameters)))}\n"
    yield (
        f"A - B {contest.difference:+.2%} (95 % interval {low:+.2%} to {high:+.2%}) on "
        f"{len(found.images):,} validation pictures, exact McNemar p = {contest.p_value:.2g}: "
        f"{found.verdict}"
    )
    for letter, side in zip("AB", sides, strict=True):
        yield from (f"note: {letter}: {note}" for note in side.notes)
