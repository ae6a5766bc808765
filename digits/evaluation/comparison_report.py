"""A comparison as a file: an HTML page that needs no server, network or script, and a picture."""

import base64
import io
from functools import partial
from pathlib import Path

from PIL import Image

from digits.datasets import contact_sheet
from digits.evaluation.model_comparison import MADE_BY, ComparedModel, Ints, ModelComparison
from digits.project import html_templates

TEMPLATE = Path(__file__).with_name("comparison.html")
MAX_IMAGES = 120  # pictures of one half of the page
MAX_DRAWN = 48  # of one half of the PNG
Half = tuple[
    Ints, ComparedModel, ComparedModel
]  # positions of pictures, the model that is right, the other


def render_page(found: ModelComparison) -> str:
    """The text of the HTML file; the pictures are embedded."""
    return html_templates.render(
        TEMPLATE,
        found=found,
        made_by=MADE_BY,
        halves=_halves(found),
        most=MAX_IMAGES,
        embedded=partial(_data_url, found),
        caption=partial(_caption, found),
    )


def draw_disagreements(found: ModelComparison, path: Path) -> None:
    """Write a PNG of the pictures that one side labels rightly, those of `b` in orange.

    Below each, the label and what the other side says.
    """
    right_a = f"only {found.a.name} is right: {len(found.only_a)}"
    right_b = f"in orange, only {found.b.name} is right: {len(found.only_b)}"
    colours = (contact_sheet.INK, contact_sheet.ORANGE)
    cards = [
        contact_sheet.glyph_card(255 - found.images.images[i], (_caption(found, i, wrong), colour))
        for (positions, _, wrong), colour in zip(_halves(found), colours, strict=True)
        for i in positions[:MAX_DRAWN]
    ]
    contact_sheet.write_sheet(cards, f"{right_a}; {right_b}", path, MADE_BY)


def _caption(found: ModelComparison, position: int, wrong: ComparedModel) -> str:
    classes, label = found.result.classes, found.images.labels[position]
    return f"{classes[label]}, not {classes[wrong.predicted[position]]}"


def _halves(found: ModelComparison) -> list[Half]:
    return [(found.only_a, found.a, found.b), (found.only_b, found.b, found.a)]


def _data_url(found: ModelComparison, position: int) -> str:
    """A picture as a data address, dark on light as people write."""
    buffer = io.BytesIO()
    Image.fromarray(255 - found.images.images[position]).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
