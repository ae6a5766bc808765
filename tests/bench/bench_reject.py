"""How well the largest probability tells digits from what is none, for the threshold in `reject`.

    python -m tests.bench.bench_reject [folder of a model, models/digits by default]

Digits are those of the validation pictures. Letters are printed ones that look like no digit;
scribbles are random polylines.
"""

import string
import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits.datasets import split_files
from digits.inference import classifier
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import DecodedImage

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
LIKE_DIGITS = set("OoIlZzSsBbqgiGj")
FONTS = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono")


def letter(text, font, rng):
    """A letter, slightly turned."""
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    page = Image.new("L", (160, 160), 245)
    face = ImageFont.truetype(str(folder / f"{font}.ttf"), 90)
    ImageDraw.Draw(page).text((80, 80), text, font=face, fill=20, anchor="mm")
    return page.rotate(rng.uniform(-8, 8), fillcolor=245)


def scribble(rng):
    """A random polyline."""
    page = Image.new("L", (200, 200), 240)
    points = rng.uniform(30, 170, (rng.integers(6, 14), 2))
    ImageDraw.Draw(page).line([tuple(point) for point in points], fill=20, width=6)
    return page


def seen(page):
    """What the network sees of a page, if anything."""
    return extract_glyphs(DecodedImage(np.asarray(page.convert("RGB")), page.size), False).images


def main():
    """Print the share below each threshold."""
    model = classifier.load(Path(sys.argv[1] if len(sys.argv) > 1 else "models/digits"))
    rng = np.random.default_rng(0)
    letters = [c for c in string.ascii_letters if c not in LIKE_DIGITS]
    pages = {
        "letters": [letter(c, font, rng) for c in letters for font in FONTS],
        "scribbles": [scribble(rng) for _ in range(200)],
    }
    sets = {"digits": split_files.load(Path("data/splits/validation.npz")).images}
    sets |= {name: np.concatenate([seen(page) for page in made]) for name, made in pages.items()}
    print(f"{'below':10}" + "".join(f"{t:8}" for t in THRESHOLDS))
    for name, pictures in sets.items():
        top = model.probabilities(pictures).max(1)
        print(f"{name:10}" + "".join(f"{(top < t).mean():8.1%}" for t in THRESHOLDS))


if __name__ == "__main__":
    main()
