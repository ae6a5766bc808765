"""One image from its bytes to a prediction: what was read, and what a model says of it.

Everything that predicts an image uses these two steps; the network runs in between, on the
glyphs of one image or of many.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digits.inference import reject_option
from digits.preprocessing import class_names
from digits.preprocessing.digit_extraction import ExtractedGlyphs, extract_glyphs
from digits.preprocessing.foreground import extract_foreground
from digits.preprocessing.image_decoding import MAX_PIXELS, DecodedImage, decode_image
from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project.errors import UserError

BLANK = "the image is blank"  # a note on an image without anything that could be ink


@dataclass(frozen=True)
class ImageReading:
    """The glyphs of an image file before any network ran; `problem` says why there are none.

    A model of whole images has the image, fitted to its input, as the only glyph. `image` is the
    decoded image if it was kept for drawing.
    """

    file: str
    glyphs: ExtractedGlyphs | None = None
    image: DecodedImage | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Prediction:
    """A model's answer to one image: n glyphs in reading order, n may be 0, or the whole image.

    `probabilities` is float32 [n, classes].
    """

    reading: ImageReading
    classes: list[str]
    probabilities: NDArray[np.float32]

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Where each glyph is: left, top, right, bottom in pixels of the upright image, (n, 4)."""
        glyphs = self.reading.glyphs
        return np.zeros((0, 4), np.int64) if glyphs is None else glyphs.boxes

    @property
    def doubtful(self) -> NDArray[np.bool_]:
        """Which glyphs may be of no class at all, (n,)."""
        return reject_option.is_doubtful(self.probabilities)

    @property
    def labels(self) -> list[str]:
        """The most probable class of each glyph."""
        return [self.classes[i] for i in self.probabilities.argmax(1)]

    @property
    def digits(self) -> list[str]:
        """The labels, by the name that they have where classes are digits."""
        return self.labels

    @property
    def text(self) -> str:
        """All labels as one text: see `class_names.join_labels`."""
        glyphs = self.reading.glyphs
        rows = [] if glyphs is None else glyphs.rows.tolist()
        return class_names.join_labels(self.labels, rows, self.classes)

    @property
    def probability(self) -> float:
        """The probability that the whole text is right: the product over its labels."""
        return float(self.probabilities.max(1).prod()) if len(self.probabilities) else 0.0

    @property
    def status(self) -> str:
        """One of `ok`, `doubtful`, `error`, and `no digit` or, for other classes, `no glyph`."""
        if self.reading.problem:
            return "error"
        if not len(self.probabilities):
            return f"no {class_names.noun(self.classes)}"
        return "doubtful" if self.doubtful.any() else "ok"


def read_image(
    content: bytes,
    name: str,
    several: bool | None = None,
    max_pixels: int = MAX_PIXELS,
    image_format: ImageFormat = MNIST,
) -> tuple[ImageReading, DecodedImage]:
    """Decode an image file and extract its glyphs; also return the decoded image, for drawing.

    Messages call it `name`; `several` is that of `extract_glyphs`. Raises UserError when the
    bytes are no image, damaged, or of more than `max_pixels`, and when several glyphs are wanted
    of a model of whole images.
    """
    if image_format.kind == "images" and several:
        raise UserError(f"{name}: the model classifies whole images; ask for one answer")
    image = decode_image(content, name, max_pixels)
    if image_format.kind == "images":
        return ImageReading(name, _whole_image(image, image_format), notes=image.notes), image
    glyphs, notes = extract_glyphs(image, several, image_format.side), image.notes
    if not len(glyphs.boxes) and not extract_foreground(image.pixels).intensity.any():
        notes = (*notes, BLANK)
    return ImageReading(name, glyphs, notes=notes), image


def _whole_image(image: DecodedImage, image_format: ImageFormat) -> ExtractedGlyphs:
    """Return the whole image, fitted to the network's input, as the only glyph."""
    from digits.preprocessing.image_front import ImageFront  # imports onnx: 0.1 s

    fitted = ImageFront(image_format).fit(image.pixels)
    box = np.array([[0, 0, *image.size]], np.int64)
    return ExtractedGlyphs(box, np.zeros(1, np.int64), fitted[None])
