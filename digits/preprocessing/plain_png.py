"""Decode the simplest kind of PNG files ten times faster than Pillow, to the same pixels.

These are gray, RGB or RGBA with 8 bits, neither interlaced nor animated nor turned.
Folders of a data set hold tens of thousands of them. Damaged files are left to
`image_decoding`, so that there is one message for each fault. It does not use this module,
because libpng prints some faults on standard error, where the service has its log.
"""

import struct

import cv2
import numpy as np

from digits.preprocessing.arrays import ByteArray

SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
SHAPES: dict[int, tuple[int, ...]] = {0: (), 2: (3,), 6: (4,)}  # of a pixel, by color type
CONVERSIONS = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
_HEADER = struct.Struct(">8s4x4sIIBBxxB")


def decode(data: bytes, max_pixels: int) -> ByteArray | None:
    """Return pixels, gray (height, width) or RGB or RGBA (height, width, 3 or 4).

    Returns None if it is another kind of file.
    """
    if len(data) < 45 or data[-8:] != END:
        return None
    signature, first, width, height, depth, color, interlaced = _HEADER.unpack_from(data)
    if signature != SIGNATURE or first != b"IHDR" or interlaced:
        return None
    if depth != 8 or color not in SHAPES or not 0 < width * height <= max_pixels:
        return None
    if b"tRNS" in data or b"eXIf" in data or b"acTL" in data:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (height, width, *SHAPES[color]):
        return None
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, CONVERSIONS[pixels.shape[2]])
