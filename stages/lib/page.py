"""A comparison as a file: an HTML page that needs no server, network or script, and a picture."""

import base64
import io
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure, FigureBase
from PIL import Image

from stages.lib import templates
from stages.lib.contrast import MADE_BY, Comparison, Ints, Side

MOST = 120  # pictures of one half of the page
COLUMNS, MOST_DRAWN = 8, 48  # pictures in a row, and in all of one half of the picture
STYLE: Any = {"font.family": "DejaVu Sans", "font.size": 9, "text.color": "#1f2933"}
Half = tuple[Ints, Side, Side]  # positions of pictures, the model that is right, the other


def page(found: Comparison) -> str:
    """The text of the HTML file; the pictures are embedded."""
    return templates.render(
        "compare.html",
        found=found,
        made_by=MADE_BY,
        halves=_halves(found),
        most=MOST,
        embedded=partial(_embedded, found),
    )


def draw(found: Comparison, path: Path) -> None:
    """Write a PNG to `path`: above what only `a` labels rightly, below what only `b` does."""
    halves = _halves(found)
    rows = [-(-min(len(positions), MOST_DRAWN) // COLUMNS) for positions, _, _ in halves]
    heights = [0.6 + 1.4 * count for count in rows]  # inches
    with rc_context(STYLE):
        figure = Figure(figsize=(10, sum(heights)), dpi=110)
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        for part, height, half in zip(parts.flat, heights, halves, strict=True):
            _half(part, height, found, half)
        figure.savefig(path, format="png", facecolor="white", metadata={"Software": MADE_BY})


def _halves(found: Comparison) -> list[Half]:
    return [(found.only_a, found.a, found.b), (found.only_b, found.b, found.a)]


def _embedded(found: Comparison, position: int) -> str:
    """A picture as a data address, dark on light as people write."""
    buffer = io.BytesIO()
    Image.fromarray(255 - found.pictures.images[position]).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _half(part: FigureBase, height: float, found: Comparison, half: Half) -> None:
    """A title and a grid of pictures, each with its label and what the other model said."""
    positions, right, wrong = half
    told = f"Only {right.name} is right: {len(positions)} (label, what the other says)"
    more = f", the first {MOST_DRAWN} of them" if len(positions) > MOST_DRAWN else ""
    part.suptitle(told + more, x=0.02, y=1 - 0.08 / height, va="top", ha="left", weight="bold")
    if not len(positions):
        return
    shown = positions[:MOST_DRAWN]
    axes = part.subplots(-(-len(shown) // COLUMNS), COLUMNS, squeeze=False)
    part.subplots_adjust(0.02, 0.1 / height, 0.98, 1 - 0.6 / height, wspace=0.1, hspace=0.3)
    for axis in axes.flat:
        axis.axis("off")
    for axis, i in zip(axes.flat, shown, strict=False):
        label, said = found.pictures.labels[i], wrong.predicted[i]
        axis.imshow(found.pictures.images[i], cmap="gray_r", vmin=0, vmax=255)
        axis.set_title(f"{found.classes[label]}, not {found.classes[said]}", pad=3)
