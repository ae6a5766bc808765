"""Draw images and glyphs with Pillow: cards with captions, and contact sheets of cards.

The card of a prediction is in `inference.prediction_images`.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from digits.preprocessing.image_decoding import DecodedImage
from digits.project import atomic_files
from digits.project.errors import UserError

INK, GRAY, BLUE, ORANGE, PAPER = "#1f2933", "#7b8794", "#2563eb", "#ea580c", "white"
GAP = 10  # pixels between elements
LINE = 20  # pixels from one line of text to the next
WIDTH = 1260  # pixels, of a sheet
SIDE = 28  # pixels, of a glyph
CaptionLine = tuple[str, str]  # a text and its color
Placed = tuple[Image.Image, tuple[int, int]]  # an image and the position of its top left corner


def check_new_folder(folder: Path, content: str) -> None:
    """Raise UserError unless `folder` is empty or does not exist; `content` is what it is for."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty: choose a new folder for {content}")


def check_overwritable(path: Path, command: str) -> None:
    """Raise UserError if `path` is a file that does not begin with the name of `command`."""
    if path.is_dir() or (path.exists() and command.encode() not in path.read_bytes()[:2000]):
        raise UserError(f"{path} exists and was not written by {command}: choose another file name")


def thumbnail_card(image: DecodedImage, lines: Sequence[CaptionLine], side: int) -> Image.Image:
    """Draw an image in the center of `side` x `side` pixels, `lines` below it."""
    return add_caption(center_in_square(image, np.zeros((0, 4), np.int64), side), lines)


def glyph_card(glyph: NDArray[np.uint8], line: CaptionLine) -> Image.Image:
    """Draw a glyph (28, 28) at four times its size, with a line of text below it.

    Larger images are enlarged less, to about the same size.
    """
    return add_caption(enlarge(glyph, max(1, 4 * SIDE // len(glyph))), [line])


def write_sheet(cards: Sequence[Image.Image], heading: str, path: Path, command: str) -> None:
    """Write all cards below a heading as a PNG that names the `command` that made it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", command)
    with atomic_files.atomic_file(path) as partial:
        arrange_cards(cards, heading).save(partial, "PNG", pnginfo=text)


def arrange_cards(cards: Sequence[Image.Image], heading: str, width: int = WIDTH) -> Image.Image:
    """Place cards from left to right below a heading, as many in a row as fit `width` pixels."""
    x, y, height = 2 * GAP, 5 * GAP, 0
    placed: list[Placed] = []
    for card in cards:
        if placed and x + card.width + 2 * GAP > width:
            x, y, height = 2 * GAP, y + height + 2 * GAP, 0
        placed.append((card, (x, y)))
        x, height = x + card.width + 2 * GAP, max(height, card.height)
    title = 2 * GAP + int(font(17).getlength(heading))
    right = max([title, *(left + card.width for card, (left, _) in placed)])
    sheet = paste((right + 2 * GAP, y + height + GAP), *placed)
    ImageDraw.Draw(sheet).text((2 * GAP, GAP), heading, INK, font(17))
    return sheet


def paste(size: tuple[int, int], *placed: Placed) -> Image.Image:
    """Paste images onto paper of `size` (width, height)."""
    paper = Image.new("RGB", size, PAPER)
    for image, corner in placed:
        paper.paste(image, corner)
    return paper


def draw_boxes(image: DecodedImage, boxes: NDArray[np.int64], size: tuple[int, int]) -> Image.Image:
    """Scale an image to fit `size` (width, height), and frame each of its `boxes` (n, 4)."""
    height, width = image.pixels.shape[:2]
    is_small = 2 * width < size[0] and 2 * height < size[1]
    method = Image.Resampling.NEAREST if is_small else Image.Resampling.LANCZOS
    scaled = ImageOps.contain(Image.fromarray(image.pixels), size, method)
    draw = ImageDraw.Draw(scaled)
    for box in (boxes * (scaled.width / image.size[0])).tolist():
        draw.rectangle(box, outline=BLUE, width=2)
    return scaled


def center_in_square(image: DecodedImage, boxes: NDArray[np.int64], side: int) -> Image.Image:
    """Draw an image with its `boxes` in the center of a square."""
    return ImageOps.pad(draw_boxes(image, boxes, (side, side)), (side, side), color=PAPER)


def enlarge(glyph: NDArray[np.uint8], zoom: int) -> Image.Image:
    """Draw each pixel of a glyph as a square of `zoom` x `zoom` pixels."""
    return ImageOps.scale(Image.fromarray(glyph), zoom, Image.Resampling.NEAREST)


def add_caption(image: Image.Image, lines: Sequence[CaptionLine]) -> Image.Image:
    """Write lines of text below an image; those that are wider go on in the next line."""
    top = image.height + GAP
    wrapped = [(part, color) for line, color in lines for part in _wrap(line, image.width)]
    card = paste((image.width, top + LINE * len(wrapped)), (image, (0, 0)))
    draw = ImageDraw.Draw(card)
    for i, (line, color) in enumerate(wrapped):
        draw.text((0, top + LINE * i), line, color, _caption_font(line))
    return card


def _wrap(line: str, width: int) -> list[str]:
    """Split `line` into parts of at most `width` pixels, between words where there are any."""
    measure = _caption_font(line).getlength
    fits = [n for n in range(len(line) + 1) if measure(line[:n].rstrip()) <= width]
    end = max(1, fits[-1])
    if end >= len(line):
        return [line]
    cut = line.rfind(" ", 1, end + 1)
    end = cut if cut > 0 else end
    return [line[:end].rstrip(), *_wrap(line[end:].lstrip(), width)]


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load Pillow's own font, which is the same on every machine."""
    return ImageFont.load_default(size)


@cache
def _wide_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load the font of matplotlib, if that is installed: Pillow's has hardly more than ASCII."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return font(15)
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", 14)


def _caption_font(line: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return font(15) if line.isascii() else _wide_font()
