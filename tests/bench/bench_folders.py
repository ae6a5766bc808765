"""Labelled folders that anyone can make, to try `digits data FOLDER --use` and `dvc repro` with.

`python -m tests.bench.bench_folders fonts OUT SOURCE` draws the letters A to Z of all fonts below
SOURCE, such as /usr/share/fonts: a class per letter, a group per family of fonts.
`python -m tests.bench.bench_folders emoji OUT SOURCE` copies the images of unpacked npm packages
emoji-datasource-apple, -facebook, -google and -twitter below SOURCE: a class per maker, a group
per emoji.
"""

import csv
import shutil
import string
import sys
from itertools import islice
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

SIDE, MARGIN = 64, 8  # pixels
FAMILIES = 160  # of fonts, about; more are left out evenly
STYLES = 2  # fonts of a family at most: regular and bold, say
LETTERS = string.ascii_uppercase
MAKERS = ("apple", "facebook", "google", "twitter")


def family_of(path):
    """Return the family of a font that has all 26 letters; None for other files."""
    try:
        font = TTFont(path, lazy=True)
        letters, name = font.getBestCmap() or {}, font["name"]
        outlines = {"glyf", "CFF "} & set(font.keys())
        if not outlines or not all(ord(letter) in letters for letter in LETTERS):
            return None
        ImageFont.truetype(str(path), SIDE)
        return str(name.getBestFamilyName() or path.stem)
    except (TTLibError, KeyError, ValueError, OSError):
        return None


def draw(letter, font):
    """Return a dark letter, centered on white paper; None where the font draws nothing."""
    box = font.getbbox(letter)
    if box[2] <= box[0] or box[3] <= box[1]:
        return None
    image = Image.new("L", (SIDE, SIDE), 255)
    corner = [(SIDE - box[i] - box[i + 2]) / 2 for i in (0, 1)]
    ImageDraw.Draw(image).text(corner, letter, 0, font)
    return image


def fonts(out, source):
    """Yield rows of labels.csv, while the files are written."""
    families = {}
    for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in {".ttf", ".otf"}):
        if family := family_of(path):
            families.setdefault(family, []).append(path)
    step = max(1, len(families) // FAMILIES)
    for family, paths in islice(families.items(), 0, None, step):
        for number, path in enumerate(islice(paths, STYLES)):
            font = ImageFont.truetype(str(path), SIDE - 2 * MARGIN)
            for letter in LETTERS:
                if (image := draw(letter, font)) is not None:
                    name = f"{letter}/{family.replace('/', ' ')} {number}.png"
                    image.save(out / name)
                    yield name, letter, family


def emoji(out, source):
    """Yield rows of labels.csv, while the files are copied."""
    for maker in MAKERS:
        for path in sorted(source.rglob(f"img/{maker}/64/*.png")):
            name = f"{maker}/{path.name}"
            shutil.copy(path, out / name)
            yield name, maker, path.stem


def main(kind, out, source):
    """Write the images and labels.csv into a new folder."""
    out.mkdir(parents=True)
    for name in LETTERS if kind == "fonts" else MAKERS:
        (out / name).mkdir()
    rows = list({"fonts": fonts, "emoji": emoji}[kind](out, source))
    with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "label", "group"), *rows])
    print(f"{len(rows):,} images, {len({row[2] for row in rows}):,} groups: {out}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
