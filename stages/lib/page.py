"""A comparison as a file: an HTML page that needs no server, network or script, and a picture."""

import base64
import io
from functools import partial
from pathlib import Path

from PIL import Image

from stages.lib import preview, templates
from stages.lib.contrast import MADE_BY, Comparison, Ints, Side

MOST = 120  # pictures of one half of the page
MOST_DRAWN = 48  # of one half of the PNG
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
        caption=partial(_caption, found),
    )


def draw(found: Comparison, path: Path) -> None:
    """Write a PNG of the pictures that one side labels rightly, those of `b` in orange.

    Below each, the label and what the other side says.
    """
    right_a = f"only {found.a.name} is right: {len(found.only_a)}"
    right_b = f"in orange, only {found.b.name} is right: {len(found.only_b)}"
    colours = (preview.INK, preview.ORANGE)
    cards = [
        preview.digit(255 - found.pictures.images[i], (_caption(found, i, wrong), colour))
        for (positions, _, wrong), colour in zip(_halves(found), colours, strict=True)
        for i in positions[:MOST_DRAWN]
    ]
    preview.write_sheet(cards, f"{right_a}; {right_b}", path, MADE_BY)


def _caption(found: Comparison, position: int, wrong: Side) -> str:
    classes, label = found.contest.classes, found.pictures.labels[position]
    return f"{classes[label]}, not {classes[wrong.predicted[position]]}"


def _halves(found: Comparison) -> list[Half]:
    return [(found.only_a, found.a, found.b), (found.only_b, found.b, found.a)]


def _embedded(found: Comparison, position: int) -> str:
    """A picture as a data address, dark on light as people write."""
    buffer = io.BytesIO()
    Image.fromarray(255 - found.pictures.images[position]).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
