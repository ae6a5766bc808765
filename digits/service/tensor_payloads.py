"""Images sent as numbers in JSON, converted to an array for the network."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.preprocessing.image_decoding import WORKING_PIXELS
from digits.preprocessing.image_format import ImageFormat
from digits.service.responses import RequestRefusedError

MAX_IMAGES = 1000  # of one request
MAX_PIXELS = 2 * WORKING_PIXELS  # of all images of one request
INLINE_BYTES = 65536  # larger bodies are parsed in a thread


def accepted_shape(image_format: ImageFormat) -> list[int]:
    """Return the shape of images in requests, -1 where any size is taken."""
    if image_format.kind == "images":
        return [-1, -1, -1, 3]
    return [-1, *image_format.shape]


def refusal(image_format: ImageFormat) -> RequestRefusedError:
    """Return the error for images that the model does not take."""
    side = image_format.side
    size = f"{side} x {side}" if image_format.kind == "glyphs" else "height x width x 3"
    size += "" if image_format.kind == "glyphs" else f" (of at most {MAX_PIXELS:,} pixels in all)"
    text = f"expected 1 to {MAX_IMAGES:,} images of {size} numbers from 0 to 255"
    return RequestRefusedError(400, text)


def parse_images(value: Any, image_format: ImageFormat) -> NDArray[np.uint8]:
    """Convert nested lists of images to inputs of the network; fractions are cut off.

    They are [n, side, side] for glyphs, else [n, height, width, 3]. Raises RequestRefusedError
    for anything else.
    """
    shape = _nested_shape(value)
    _check_shape(shape, image_format)
    rows = value
    for _ in shape[1:-1]:
        rows = [row for part in rows for row in part]
    try:
        flat = np.frombuffer(b"".join(map(bytes, rows)), np.uint8)  # faster than np.array
    except (TypeError, ValueError):
        flat = parse_numbers(rows, image_format)
    return fit_images(flat, shape, image_format)


def fit_images(
    values: NDArray[np.uint8], shape: Sequence[int], image_format: ImageFormat
) -> NDArray[np.uint8]:
    """Return images of a request, flat `values`, as the network's input (n, *format.shape).

    Raises RequestRefusedError when `shape` is not an `accepted_shape`, or not theirs.
    """
    _check_shape(shape, image_format)
    if math.prod(shape) != values.size:
        raise refusal(image_format)
    images = values.reshape(shape)
    if image_format.kind == "glyphs":
        return images
    from digits.preprocessing.image_front import ImageFront

    front = ImageFront(image_format)
    return np.stack([front.fit(image) for image in images])


def parse_numbers(value: list[Any], image_format: ImageFormat) -> NDArray[np.uint8]:
    """Convert numbers of any kind to uint8. Raises RequestRefusedError when some do not fit."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise refusal(image_format) from None
    if not ((array >= 0) & (array < 256)).all():  # false for NaN, too
        raise refusal(image_format)
    return array.astype(np.uint8)


def _check_shape(shape: Sequence[int], image_format: ImageFormat) -> None:
    """Raise RequestRefusedError unless images of this shape are taken."""
    expected = accepted_shape(image_format)
    fits = len(shape) == len(expected) and 1 <= shape[0] <= MAX_IMAGES
    sizes = zip(shape[1:], expected[1:], strict=False)
    pixels = math.prod(shape[:-1])
    is_small = image_format.kind == "glyphs" or pixels <= MAX_PIXELS
    if not fits or not is_small or not all(n == m or (m == -1 and n > 0) for n, m in sizes):
        raise refusal(image_format)


def _nested_shape(value: Any) -> list[int]:
    """Return the shape of nested lists, as far down as all lists of a level are equally long."""
    shape: list[int] = []
    level = [value]
    while level and set(map(type, level)) == {list} and len(set(map(len, level))) == 1:
        shape.append(len(level[0]))
        level = [part for parts in level for part in parts]
    return shape
