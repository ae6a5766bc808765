"""The pictures that one model gets right and the other does not, as one picture."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure, FigureBase

from stages.lib.contrast import MADE_BY, Comparison, Ints, Side

COLUMNS, MOST = 8, 48  # pictures in a row, and in all of one half
STYLE: Any = {"font.family": "DejaVu Sans", "font.size": 9, "text.color": "#1f2933"}
Half = tuple[Ints, Side, Side]  # positions of pictures, the model that is right, the other


def draw(found: Comparison, path: Path) -> None:
    """Write a PNG to `path`: above what only `a` labels rightly, below what only `b` does."""
    halves = [(found.only_a, found.a, found.b), (found.only_b, found.b, found.a)]
    rows = [-(-min(len(positions), MOST) // COLUMNS) for positions, _, _ in halves]
    heights = [0.6 + 1.4 * count for count in rows]  # inches
    with rc_context(STYLE):
        figure = Figure(figsize=(10, sum(heights)), dpi=110)
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        for part, height, half in zip(parts.flat, heights, halves, strict=True):
            _half(part, height, found, half)
        figure.savefig(path, format="png", facecolor="white", metadata={"Software": MADE_BY})


def _half(part: FigureBase, height: float, found: Comparison, half: Half) -> None:
    """A title and a grid of pictures, each with its label and what the other model said."""
    positions, right, wrong = half
    told = f"Only {right.name} is right: {len(positions)} (label, what the other says)"
    more = f", the first {MOST} of them" if len(positions) > MOST else ""
    part.suptitle(told + more, x=0.02, y=1 - 0.08 / height, va="top", ha="left", weight="bold")
    if not len(positions):
        return
    shown = positions[:MOST]
    axes = part.subplots(-(-len(shown) // COLUMNS), COLUMNS, squeeze=False)
    part.subplots_adjust(0.02, 0.1 / height, 0.98, 1 - 0.6 / height, wspace=0.1, hspace=0.3)
    for axis in axes.flat:
        axis.axis("off")
    for axis, i in zip(axes.flat, shown, strict=False):
        label, said = found.pictures.labels[i], wrong.predicted[i]
        axis.imshow(found.pictures.images[i], cmap="gray_r", vmin=0, vmax=255)
        axis.set_title(f"{found.classes[label]}, not {found.classes[said]}", pad=3)
