"""A comparison of two models as text for a terminal, as an HTML page, and as a PNG.

The page needs no server, network or script. The comparison itself is in `model_comparison`.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.datasets import contact_sheet
from digits.evaluation.model_comparison import ComparedModel, ModelComparison
from digits.evaluation.scores import Ints
from digits.preprocessing import class_names
from digits.project import atomic_files, html_templates
from digits.project.text_table import format_table

TEMPLATE = Path(__file__).with_name("comparison.html")
MADE_BY = "digits compare"  # stands in each file written here; only such a file is overwritten
MAX_IMAGES = 120  # on the page, of those that one model alone classifies correctly
MAX_CARDS = 48  # in the PNG, of the same
COLORS = (contact_sheet.INK, contact_sheet.ORANGE)


def write_files(comparison: ModelComparison, html: Path | None, png: Path | None) -> None:
    """Write the comparison as page and PNG, where a path is given.

    Raises UserError, and writes nothing, when another file exists at a path.
    """
    for path in filter(None, (html, png)):
        contact_sheet.check_overwritable(path, MADE_BY)
    if html is not None:
        atomic_files.write_bytes(html, render_page(comparison).encode())
    if png is not None:
        draw_disagreements(comparison, png)


def format_comparison(comparison: ModelComparison, *, as_json: bool = False) -> str:
    """Return the comparison as text for a terminal, or as JSON."""
    if as_json:
        return json.dumps(_record(comparison), indent=2)
    models, result = {"A": comparison.a, "B": comparison.b}, comparison.result
    low, high = result.interval
    difference = f"A - B {result.difference:+.2%} (95 % interval {low:+.2%} to {high:+.2%})"
    images, p_value = f"{len(comparison.images):,} validation images", f"p = {result.p_value:.2g}"
    rows = [*_table_rows(comparison), *comparison.parameters]
    lines = [f"{letter}  {model.name}  {model.content[:12]}" for letter, model in models.items()]
    lines += ["", format_table(["", "A", "B"], rows), ""]
    lines.append(f"{difference} on {images}, exact McNemar {p_value}: {comparison.verdict}")
    low, high = result.balanced_interval
    balanced = f"A - B {result.balanced_difference:+.2%} (95 % interval {low:+.2%} to {high:+.2%})"
    test = f"permutation test p = {result.balanced_p_value:.2g}"
    lines.append(f"balanced accuracy, all classes alike: {balanced}, {test}")
    lines += [f"note: {letter}: {note}" for letter, m in models.items() for note in m.notes]
    return "\n".join(lines)


def _record(comparison: ModelComparison) -> dict[str, Any]:
    """Return the numbers of the comparison, unrounded."""
    models = {"a": comparison.a, "b": comparison.b}
    halves = _halves(comparison)
    result = comparison.result
    return {
        **{key: _model_record(comparison, model) for key, model in models.items()},
        "n": result.n,
        "only_right": {key: len(half[2]) for key, half in zip(models, halves, strict=True)},
        "difference": result.difference,
        "difference_interval": result.interval,
        "p_value": result.p_value,
        "balanced_difference": result.balanced_difference,
        "balanced_difference_interval": result.balanced_interval,
        "balanced_p_value": result.balanced_p_value,
        "verdict": comparison.verdict,
        "parameters": {name: {"a": a, "b": b} for name, a, b in comparison.parameters},
    }


def _model_record(comparison: ModelComparison, model: ComparedModel) -> dict[str, Any]:
    accuracy, interval = comparison.accuracy(model)
    return {
        "name": model.name,
        "content_sha256": model.content,
        "accuracy": accuracy,
        "accuracy_interval": interval,
        "balanced_accuracy": model.scores.balanced,
        "onnx_bytes": model.size,
        "seconds_per_image": model.scores.seconds,
        "notes": list(model.notes),
    }


def _table_rows(comparison: ModelComparison) -> list[list[str]]:
    """Return the rows of numbers: what a number is, and its values of both models."""
    models = (comparison.a, comparison.b)
    accuracies = [comparison.accuracy(model) for model in models]
    return [
        ["validation accuracy", *(f"{share:.2%}" for share, _ in accuracies)],
        ["balanced accuracy", *(f"{model.scores.balanced:.2%}" for model in models)],
        ["95 % interval", *(f"{low:.2%} to {high:.2%}" for _, (low, high) in accuracies)],
        ["right where the other errs", *(f"{len(only)}" for _, _, only in _halves(comparison))],
        ["ONNX file", *(f"{model.size / 1e6:.2f} MB" for model in models)],
        ["one image, median", *(f"{model.scores.seconds * 1e6:.0f} µs" for model in models)],
    ]


def render_page(comparison: ModelComparison) -> str:
    """Return the page as HTML, with its images embedded."""
    halves = [
        (right.name, len(only), [_figure(comparison, i, wrong) for i in only[:MAX_IMAGES]])
        for right, wrong, only in _halves(comparison)
    ]
    values = {"comparison": comparison, "rows": _table_rows(comparison), "halves": halves}
    return html_templates.render(TEMPLATE, made_by=MADE_BY, **values)


def draw_disagreements(comparison: ModelComparison, path: Path) -> None:
    """Write a PNG of the images that one model alone classifies correctly, of `b` in orange.

    Below each are its label and the class that the other model predicts.
    """
    counts = [f"only {m.name} is right: {len(only)}" for m, _, only in _halves(comparison)]
    cards = []
    for (_, wrong, only), color in zip(_halves(comparison), COLORS, strict=True):
        for i in only[:MAX_CARDS]:
            line = (_caption(comparison, i, wrong), color)
            cards.append(contact_sheet.glyph_card(_displayed(comparison, i), line))
    contact_sheet.write_sheet(cards, "; in orange, ".join(counts), path, MADE_BY)


def _halves(comparison: ModelComparison) -> list[tuple[ComparedModel, ComparedModel, Ints]]:
    """Return the model that is right, the other, and the positions; first where `a` is right."""
    a, b = comparison.a, comparison.b
    return [(a, b, comparison.only_a), (b, a, comparison.only_b)]


def _caption(comparison: ModelComparison, position: int, wrong: ComparedModel) -> str:
    classes, label = comparison.result.classes, comparison.images.labels[position]
    names = (classes[label], classes[wrong.predicted[position]])
    return "{}, not {}".format(*(class_names.shorten(name, 30) for name in names))


def _displayed(comparison: ModelComparison, position: int) -> NDArray[np.uint8]:
    """Return an image as people expect it: a glyph dark on light."""
    image = comparison.images.images[position]
    return np.asarray(255 - image if comparison.images.format.kind == "glyphs" else image)


def _figure(comparison: ModelComparison, position: int, wrong: ComparedModel) -> tuple[str, str]:
    """Return a data URL of an image and its caption."""
    buffer = io.BytesIO()
    Image.fromarray(_displayed(comparison, position)).save(buffer, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return url, _caption(comparison, position, wrong)
