"""One digit's ink -> a picture as MNIST's makers would have made it.

Theirs were black-and-white scans, scaled into 20 x 20 pixels with anti-aliasing and centred
by mass in 28 x 28 (LeCun et al., "Gradient-based learning applied to document recognition",
1998). So the ink is made black-and-white first, FINE times finer than the result.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

SIDE, BOX = 28, 20  # pixels of the result and of the digit within
FINE = 8  # working pixels per pixel of the result
PEN = (2.0, 3.5)  # pixels of the result: widths of strokes outside are brought to the nearer end


def normal(ink: Floats) -> Bytes:
    """The picture uint8 [28, 28], 0 the background, of `ink` [height, width], 0..1.

    All 0 where the ink is too faint for a stroke.
    """
    solid = _solid(ink)
    if not solid.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    fitted = _with_pen(solid)
    if not fitted.any():
        fitted = solid
    rows, columns = np.nonzero(fitted.any(1))[0], np.nonzero(fitted.any(0))[0]
    box = fitted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = BOX * FINE / max(box.shape)
    middle = SIDE / 2 * FINE
    total = box.sum()
    x = float((box.sum(0) * (np.arange(box.shape[1]) + 0.5)).sum() / total)
    y = float((box.sum(1) * (np.arange(box.shape[0]) + 0.5)).sum() / total)
    half = FINE / 2  # MNIST's centre of mass is at index 14, the middle of that pixel
    matrix = np.array(
        [[scale, 0, middle + half - scale * x], [0, scale, middle + half - scale * y]]
    )
    matrix[:, 2] += scale / 2 - 0.5  # warpAffine's coordinates name the middles of pixels
    fine = cv2.warpAffine(box, matrix, (SIDE * FINE, SIDE * FINE), flags=cv2.INTER_LINEAR)
    small = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.rint(small * 255).clip(0, 255).astype(np.uint8)


def _solid(ink: Floats) -> Bytes:
    """The ink in black and white, its longer side BOX * FINE pixels, with a margin."""
    scale = BOX * FINE / max(ink.shape)
    size = tuple(max(1, round(side * scale)) for side in ink.shape[::-1])
    fine = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    rim = 4 * FINE
    fine = cv2.copyMakeBorder(fine, rim, rim, rim, rim, cv2.BORDER_CONSTANT)
    fine = cv2.GaussianBlur(fine, (0, 0), max(1.5, scale / 2))
    reach = 4 * FINE | 1
    around = cv2.dilate(fine, np.ones((reach, reach), np.uint8))
    return (fine > np.maximum(0.5 * around, 0.15)).astype(np.uint8)


def pen(solid: Bytes) -> float:
    """The typical width of the strokes of `solid`, 0 or 1, in pixels."""
    inner = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    ridge = inner[(inner >= cv2.dilate(inner, np.ones((3, 3), np.uint8))) & (inner > 0)]
    return 2 * float(np.median(ridge))


def _with_pen(solid: Bytes) -> Bytes:
    width = pen(solid) / FINE
    change = (np.clip(width, *PEN) - width) / 2 * FINE
    if change > 0:
        return (cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5) <= change).astype(np.uint8)
    if change < 0:
        return (cv2.distanceTransform(solid, cv2.DIST_L2, 5) > -change).astype(np.uint8)
    return solid
