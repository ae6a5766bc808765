"""What the pixels of a network's input mean; splits and models carry it with them.

The values come from the section `data` of params.yaml. A split or a model that was made before
there was such a section carries none, and has MNIST's.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ImageFormat:
    """`side` pixels a side, `channels` 1 (gray) or 3 (color), uint8.

    `kind`: "glyphs" are strokes, found on an image and centered as MNIST's were, 0 the
    background; "images" are whole images, made square by `fit`.
    """

    kind: Literal["glyphs", "images"] = "glyphs"
    side: int = 28
    channels: int = 1
    fit: Literal["pad", "crop"] = "pad"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image: (side, side), or (side, side, 3) in color."""
        square = (self.side, self.side)
        return square if self.channels == 1 else (*square, self.channels)


MNIST = ImageFormat()
