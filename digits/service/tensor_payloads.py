"""Pictures as numbers, the way programs send them -> an array for the network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.service.responses import RequestRefusedError

MAX_IMAGES = 1000  # pictures of one request
EXPECTED = f"expected 1 to {MAX_IMAGES:,} pictures of 28 x 28 numbers from 0 to 255"
INLINE_BYTES = 65536  # bytes of JSON that are parsed at once, in less time than waking a thread


def parse_images(value: Any) -> NDArray[np.uint8]:
    """Nested lists [n, 28, 28] as uint8; fractions are cut off, as MLflow does.

    Raises RefusedError for anything else.
    """
    if type(value) is not list or len(value) > MAX_IMAGES or not _lists_of_28(value):
        raise RequestRefusedError(400, EXPECTED)
    rows = [row for picture in value for row in picture]
    if not _lists_of_28(rows):
        raise RequestRefusedError(400, EXPECTED)
    try:
        flat = np.frombuffer(b"".join(map(bytes, rows)), np.uint8)  # 3 times as fast as np.array
    except (TypeError, ValueError):
        flat = parse_numbers(rows)
    return flat.reshape(-1, 28, 28)


def parse_numbers(value: list[Any]) -> NDArray[np.uint8]:
    """Numbers of any kind as uint8. Raises RefusedError when some do not fit."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise RequestRefusedError(400, EXPECTED) from None
    if not ((array >= 0) & (array < 256)).all():  # not so for NaN, either
        raise RequestRefusedError(400, EXPECTED)
    return array.astype(np.uint8)


def _lists_of_28(values: list[Any]) -> bool:
    """Whether all are lists of 28, and there is one."""
    return set(map(type, values)) == {list} and set(map(len, values)) == {28}
