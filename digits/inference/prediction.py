"""One image from its bytes to a prediction: what was read, and what a model says of it.

Everything that predicts an image uses these two steps; the network runs in between, on the
glyphs of one image or of many.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digits.inference import reject_option
from digits.preprocessing.digit_extraction import ExtractedGlyphs, extract_glyphs
from digits.preprocessing.foreground import extract_foreground
from digits.preprocessing.image_decoding import MAX_PIXELS, DecodedImage, decode_image

BLANK = "the image is blank"  # a note on an image without anything that could be ink


@dataclass(frozen=True)
class ImageReading:
    """The glyphs of an image file before any network ran; `problem` says why there are none.

    `image` is the decoded image if it was kept for drawing.
    """

    file: str
    glyphs: ExtractedGlyphs | None = None
    image: DecodedImage | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Prediction:
    """A model's answer to one image: n digits in reading order, n may be 0.

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
        """Which glyphs may be no digit at all, (n,)."""
        return reject_option.is_doubtful(self.probabilities)

    @property
    def digits(self) -> list[str]:
        """The most probable class of each glyph."""
        return [self.classes[i] for i in self.probabilities.argmax(1)]

    @property
    def text(self) -> str:
        """All digits, `/` between the rows."""
        if self.reading.glyphs is None:
            return ""
        breaks = np.diff(self.reading.glyphs.rows, prepend=self.reading.glyphs.rows[:1])
        pairs = zip(self.digits, breaks, strict=True)
        return "".join("/" * bool(new) + digit for digit, new in pairs)

    @property
    def probability(self) -> float:
        """The probability that the whole text is right: the product over its digits."""
        return float(self.probabilities.max(1).prod()) if len(self.probabilities) else 0.0

    @property
    def status(self) -> str:
        """One of `ok`, `doubtful`, `no digit` and `error`."""
        if self.reading.problem:
            return "error"
        if not len(self.probabilities):
            return "no digit"
        return "doubtful" if self.doubtful.any() else "ok"


def read_image(
    content: bytes, name: str, several: bool | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[ImageReading, DecodedImage]:
    """Decode an image file and extract its glyphs; also return the decoded image, for drawing.

    Messages call it `name`; `several` is that of `extract_glyphs`. Raises UserError when the
    bytes are no image, damaged, or of more than `max_pixels`.
    """
    image = decode_image(content, name, max_pixels)
    glyphs, notes = extract_glyphs(image, several), image.notes
    if not len(glyphs.boxes) and not extract_foreground(image.pixels).intensity.any():
        notes = (*notes, BLANK)
    return ImageReading(name, glyphs, notes=notes), image
