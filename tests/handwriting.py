"""Draw the figure of handwriting in the README: pages, glyphs, and the model's answers.

    python -m tests.handwriting

The answers are those of the model in models/digits, right or wrong.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from digits.datasets import contact_sheet
from digits.inference import classifier
from digits.inference.prediction_images import caption, prediction_card
from digits.inference.prediction_stream import predict_files
from tests.strokes import page

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "metrics/readme/handwriting.png"
WHITE = (246, 246, 244)
CREAM = (240, 230, 205)
RECYCLED = (205, 198, 185)
YELLOW = (250, 232, 120)
SLATE = (52, 66, 62)
INK = (25, 28, 34)
PENCIL = (120, 118, 116)
RED = (190, 40, 40)
GREEN = (20, 120, 70)
CHALK = (235, 238, 230)
BLUE = (35, 60, 150)
# Text, stroke width in pixels, color of the paper, color of the ink.
PAGES = [
    ("3", 5, WHITE, BLUE),
    ("7", 12, CREAM, INK),
    ("4", 4, RECYCLED, PENCIL),
    ("9", 10, YELLOW, RED),
    ("5", 14, SLATE, CHALK),
    ("2", 7, CREAM, GREEN),
    ("8", 6, WHITE, RED),
    ("6", 9, RECYCLED, INK),
    ("5550192", 5, RECYCLED, BLUE),
]


def draw(model, path):
    """Write the figure to `path`, with the answers of the model in the folder `model`."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{number}.jpg") for number in range(len(PAGES))]
        for file, (text, pen, paper, ink) in zip(files, PAGES, strict=True):
            shape = (220, 220) if len(text) == 1 else None
            image = page(text, rng, shape=shape, pen=pen, paper=paper, ink=ink)
            Image.fromarray(image).save(file, quality=88)
        predictions = list(predict_files(files, classifier.load(model), keep=True))
    cards = [prediction_card(p, caption(p), zoom=5) for p in predictions]
    heading = "Pages, what the network saw of them, and its answer"
    contact_sheet.arrange_cards(cards, heading).save(path)


def draw_page(model):
    """Write the page that the README reads, and the picture of its reading."""
    paper, photo = (236, 230, 214), ROOT / "docs/page.jpg"
    image = page("31415/92653/58979", np.random.default_rng(4), pen=7, paper=paper, ink=BLUE)
    Image.fromarray(image).save(photo, quality=88)
    (prediction,) = predict_files([str(photo)], classifier.load(model), keep=True)
    prediction_card(prediction, caption(prediction), zoom=15).save(ROOT / "docs/page-read.png")


if __name__ == "__main__":
    draw(ROOT / "models/digits", FIGURE)
    draw_page(ROOT / "models/digits")
