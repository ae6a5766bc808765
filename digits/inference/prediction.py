"""What a model says of picture files: read, found and classified in a stream, in order.

Reading and finding run in threads, because Pillow and OpenCV work without Python's lock;
the network gets the digits of many files at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digits.datasets import image_files
from digits.preprocessing.digit_extraction import ExtractedGlyphs, extract_glyphs
from digits.preprocessing.image_decoding import DecodedImage, decode_image
from digits.project.errors import UserError


@dataclass(frozen=True)
class ImageReading:
    """What was found in a file before any network saw it; `problem` says why nothing was."""

    file: str
    glyphs: ExtractedGlyphs | None = None
    image: DecodedImage | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one file: n digits in reading order, n may be 0.

    `probabilities` float32 [n, classes]; `doubtful` bool [n]: perhaps no digit at all.
    """

    reading: ImageReading
    classes: list[str]
    probabilities: NDArray[np.float32]
    doubtful: NDArray[np.bool_]

    @property
    def digits(self) -> list[str]:
        """The most probable class of each digit."""
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
        """That the whole text is right: the product over its digits."""
        return float(self.probabilities.max(1).prod()) if len(self.probabilities) else 0.0

    @property
    def status(self) -> str:
        """One of `ok`, `doubtful`, `no digit` and `error`."""
        if self.reading.problem:
            return "error"
        if not len(self.probabilities):
            return "no digit"
        return "doubtful" if self.doubtful.any() else "ok"


def read_image(file: str, several: bool | None, keep: bool) -> ImageReading:
    """Read a file and find its digits."""
    try:
        scan = decode_image(image_files.read_image_bytes(file), file)
        return ImageReading(file, extract_glyphs(scan, several), scan if keep else None, scan.notes)
    except UserError as error:
        return ImageReading(file, problem=str(error))
