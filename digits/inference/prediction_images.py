"""Draw predictions: the image with its boxes, the glyphs beside it, and the model's answer.

Cards and sheets of any content are drawn by `digits.datasets.contact_sheet`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from digits.datasets import contact_sheet
from digits.datasets.contact_sheet import GAP, GRAY, INK, LINE, ORANGE, PAPER, CaptionLine
from digits.inference.prediction import Prediction
from digits.preprocessing import class_names
from digits.preprocessing.digit_extraction import ExtractedGlyphs
from digits.project import atomic_files

SIDE = 28  # pixels of a glyph of MNIST; those of other sizes are drawn about as large


def save_previews(
    predictions: Iterator[Prediction], folder: Path, model: str
) -> Iterator[Prediction]:
    """Draw each prediction into `folder` as 00001-<name>.png and so on, then yield it.

    The last line below each image names the `model`.
    """
    for number, prediction in enumerate(predictions, start=1):
        if prediction.reading.image is not None:
            path = folder / f"{number:05}-{Path(prediction.reading.file).stem}.png"
            with atomic_files.atomic_file(path) as partial:
                lines = [*caption(prediction), (model, GRAY)]
                card = prediction_card(prediction, lines, zoom=8)
                ImageOps.expand(card, GAP, PAPER).save(partial, "PNG")
        yield prediction


def caption(prediction: Prediction) -> list[CaptionLine]:
    """Return the model's answer as lines below a card."""
    if not prediction.labels:
        return [(f"no {class_names.noun(prediction.classes)} found", ORANGE)]
    color, remark = (ORANGE, "  doubtful") if prediction.status == "doubtful" else (INK, "")
    return [(f"{prediction.text}  {prediction.probability:.1%}{remark}", color)]


def prediction_card(prediction: Prediction, lines: Sequence[CaptionLine], zoom: int) -> Image.Image:
    """Draw the image with its boxes, the network's inputs beside it, and `lines` below.

    A single input is enlarged to `zoom` times the size of a glyph of MNIST; each of several has
    its label below. The reading must have kept its image.
    """
    image, glyphs = prediction.reading.image, prediction.reading.glyphs
    assert image is not None
    assert glyphs is not None
    side = SIDE * zoom
    zoom = max(1, side // glyphs.images.shape[1])
    if len(glyphs.images) > 1:
        left = contact_sheet.draw_boxes(image, glyphs.boxes, (2 * side, side))
        right = _draw_rows(prediction, glyphs, side)
    else:
        left = contact_sheet.center_in_square(image, glyphs.boxes, side)
        enlarged = [(contact_sheet.enlarge(glyph, zoom), (0, 0)) for glyph in glyphs.images]
        side = max(side, zoom * glyphs.images.shape[1])
        right = contact_sheet.paste((side, side), *enlarged)
    frame = (0, 0, left.width - 1, left.height - 1)
    ImageDraw.Draw(left).rectangle(frame, outline=GRAY)  # white paper has an edge, too
    size = (left.width + GAP + right.width, max(left.height, right.height))
    card = contact_sheet.paste(size, (left, (0, 0)), (right, (left.width + GAP, 0)))
    return contact_sheet.add_caption(card, lines)


def _draw_rows(prediction: Prediction, glyphs: ExtractedGlyphs, side: int) -> Image.Image:
    """Draw each glyph with its label below, a new line per row of text.

    The result is about `side` pixels high, and at most six times as wide.
    """
    rows, size_of_glyph = glyphs.rows.tolist(), glyphs.images.shape[1]
    longest = max(rows.count(row) for row in rows)
    fitting = min(side // (rows[-1] + 1) - LINE, 6 * side // longest - 4)
    zoom = max(1, fitting // size_of_glyph)
    step = size_of_glyph * zoom + 4
    corners = [(step * (i - rows.index(row)), (step + LINE) * row) for i, row in enumerate(rows)]
    enlarged = [contact_sheet.enlarge(glyph, zoom) for glyph in glyphs.images]
    size = (step * longest, (step + LINE) * (rows[-1] + 1))
    image = contact_sheet.paste(size, *zip(enlarged, corners, strict=True))
    draw, font = ImageDraw.Draw(image), contact_sheet.font(15)
    for (x, y), label, doubtful in zip(
        corners, prediction.labels, prediction.doubtful, strict=True
    ):
        color, shown = ORANGE if doubtful else INK, class_names.shorten(label, max(1, step // 8))
        draw.text((x + step / 2, y + step), shown, color, font, anchor="ma")
    return image
