"""Images sent as numbers in JSON, converted to an array for the network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.service.responses import RequestRefusedError

MAX_IMAGES = 1000  # of one request
EXPECTED = f"expected 1 to {MAX_IMAGES:,} images of 28 x 28 numbers from 0 to 255"
INLINE_BYTES = 65536  # larger bodies are parsed in a thread


def parse_images(value: Any) -> NDArray[np.uint8]:
    """Convert nested lists [n, 28, 28] to uint8; fractions are cut off, as MLflow does.

    Raises RequestRefusedError for anything else.
    """
    has_images = type(value) is list and len(value) <= MAX_IMAGES and _are_lists_of_28(value)
    rows = [row for image in value for row in image] if has_images else []
    if not _are_lists_of_28(rows):
        raise RequestRefusedError(400, EXPECTED)
    try:
        flat = np.frombuffer(b"".join(map(bytes, rows)), np.uint8)  # faster than np.array
    except (TypeError, ValueError):
        flat = parse_numbers(rows)
    return flat.reshape(-1, 28, 28)


def parse_numbers(value: list[Any]) -> NDArray[np.uint8]:
    """Convert numbers of any kind to uint8. Raises RequestRefusedError when some do not fit."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise RequestRefusedError(400, EXPECTED) from None
    if not ((array >= 0) & (array < 256)).all():  # false for NaN, too
        raise RequestRefusedError(400, EXPECTED)
    return array.astype(np.uint8)


def _are_lists_of_28(values: list[Any]) -> bool:
    """Whether all values are lists of 28, and there is at least one."""
    return set(map(type, values)) == {list} and set(map(len, values)) == {28}
