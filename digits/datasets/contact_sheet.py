"""Picture files and what the network saw of them, drawn with Pillow: cards, and sheets of cards."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from digits.preprocessing.image_decoding import DecodedImage
from digits.project import atomic_files
from digits.project.errors import UserError

INK, GREY, BLUE, ORANGE = "#1f2933", "#7b8794", "#2563eb", "#ea580c"
PAPER = "white"
GAP = 10  # pixels between things
LINE = 20  # pixels from one line of text to the next
WIDTH = 1260  # pixels of a sheet
SIDE = 28
CaptionLine = tuple[str, str]  # a text and its colour
Placed = tuple[Image.Image, tuple[int, int]]  # an image and where its left upper corner is


def check_new_folder(folder: Path, what: str) -> None:
    """UserError when there is anything at or in `folder`, where `what` shall be."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty; name a new folder for {what}")


def thumbnail_card(scan: DecodedImage, lines: Sequence[CaptionLine], side: int) -> Image.Image:
    """The picture alone, in the middle of `side` x `side` pixels, `lines` below."""
    return add_caption(center_in_square(scan, np.zeros((0, 4), np.int64), side), lines)


def glyph_card(picture: NDArray[np.uint8], line: CaptionLine) -> Image.Image:
    """28 x 28 pixels, four times as large, with a line of text below."""
    return add_caption(enlarge(picture, 4), [line])


def check_overwritable(path: Path, maker: str) -> None:
    """UserError when something is at `path` whose beginning does not name the command `maker`."""
    if path.is_dir() or (path.exists() and maker.encode() not in path.read_bytes()[:2000]):
        raise UserError(f"{path} is there and was not made by {maker}; name another file")


def write_sheet(cards: Sequence[Image.Image], heading: str, path: Path, maker: str) -> None:
    """Write a PNG with all cards under a heading, which says that the command `maker` made it."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", maker)
    with atomic_files.atomic_file(path) as partial:
        arrange_cards(cards, heading).save(partial, "PNG", pnginfo=about)


def arrange_cards(cards: Sequence[Image.Image], heading: str, width: int = WIDTH) -> Image.Image:
    """Cards from left to right under a heading, as many in a row as fit `width` pixels."""
    x, y, height = 2 * GAP, 5 * GAP, 0
    placed: list[Placed] = []
    for one in cards:
        if placed and x + one.width + 2 * GAP > width:
            x, y, height = 2 * GAP, y + height + 2 * GAP, 0
        placed.append((one, (x, y)))
        x, height = x + one.width + 2 * GAP, max(height, one.height)
    title = 2 * GAP + int(font(17).getlength(heading))
    widest = max([title, *(left + one.width for one, (left, _) in placed)])
    whole = paste((widest + 2 * GAP, y + height + GAP), *placed)
    ImageDraw.Draw(whole).text((2 * GAP, GAP), heading, INK, font(17))
    return whole


def paste(size: tuple[int, int], *placed: Placed) -> Image.Image:
    """Images on paper of that size."""
    whole = Image.new("RGB", size, PAPER)
    for image, place in placed:
        whole.paste(image, place)
    return whole


def draw_boxes(scan: DecodedImage, boxes: NDArray[np.int64], most: tuple[int, int]) -> Image.Image:
    """The picture in at most that width and height, a frame around each digit."""
    height, width = scan.pixels.shape[:2]
    small = 2 * width < most[0] and 2 * height < most[1]
    way = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    image = ImageOps.contain(Image.fromarray(scan.pixels), most, way)
    pen = ImageDraw.Draw(image)
    for box in (boxes * (image.width / scan.size[0])).tolist():
        pen.rectangle(box, outline=BLUE, width=2)
    return image


def center_in_square(scan: DecodedImage, boxes: NDArray[np.int64], side: int) -> Image.Image:
    """The picture with its frames, in the middle of a square."""
    return ImageOps.pad(draw_boxes(scan, boxes, (side, side)), (side, side), color=PAPER)


def enlarge(picture: NDArray[np.uint8], zoom: int) -> Image.Image:
    """28 x 28 pixels as squares."""
    return ImageOps.scale(Image.fromarray(picture), zoom, Image.Resampling.NEAREST)


def add_caption(image: Image.Image, lines: Sequence[CaptionLine]) -> Image.Image:
    """Lines of text below an image, cut where they are wider."""
    top = image.height + GAP
    whole = paste((image.width, top + LINE * len(lines)), (image, (0, 0)))
    pen = ImageDraw.Draw(whole)
    for number, (line, colour) in enumerate(lines):
        pen.text((0, top + LINE * number), _truncate(line, image.width), colour, font(15))
    return whole


def _truncate(line: str, width: int) -> str:
    """`line`, or as much of it as fits."""
    if font(15).getlength(line) <= width:
        return line
    while line and font(15).getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)
