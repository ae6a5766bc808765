"""One digit's ink -> a picture as MNIST's makers would have made it.

Theirs were black-and-white scans, scaled into 20 x 20 pixels with anti-aliasing and centred
by mass in 28 x 28 (LeCun et al., "Gradient-based learning applied to document recognition",
1998). So the ink is made black-and-white first, FINE times finer than the result. Slant stays:
to take it away made no digit surer, and the networks are trained on slanted ones.
"""

import cv2
import numpy as np

from digits.preprocessing.array_types import BoolArray, ByteArray, FloatArray
from digits.preprocessing.downscaling import downscale
from digits.preprocessing.stroke_width import stroke_width

SIDE, BOX = 28, 20  # pixels of the result and of the digit within
FINE = 4  # working pixels per pixel of the result
RIM = 4 * FINE  # working pixels: room for strokes that are made wider
FAINTEST = 0.3  # of the ink's amount: less is ink only where it is a line
HALF = 0.5  # of the darkest nearby: what is lighter is the edge of a stroke
NEARBY = 4  # pixels of the result
LINE = 0.05  # of the ink's amount: how much a faint line stands out from both sides
BREADTH = 0.75  # pixels of the result: sigma of the lines that are looked for
PEN = (2.6, 3.5)  # pixels of the result: widths of strokes outside are brought to the nearer end


def normalize_glyph(ink: FloatArray, sure: BoolArray) -> ByteArray:
    """The picture uint8 [28, 28], 0 the background, of `ink` [height, width], 0..1.

    `sure` [height, width] is where the digit certainly is: other ink counts as far as it is
    joined to that. All 0 where the ink is too faint for a stroke.
    """
    solid = _binarize(ink, sure)
    if not solid.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    fitted = _with_standard_width(solid)
    if not fitted.any():
        fitted = solid
    left, top, width, height = cv2.boundingRect(fitted)
    box = fitted[top : top + height, left : left + width]
    scale = BOX * FINE / max(box.shape)
    middle = SIDE / 2 * FINE
    mass = cv2.moments(box, binaryImage=True)
    x, y = mass["m10"] / mass["m00"] + 0.5, mass["m01"] / mass["m00"] + 0.5
    half = FINE / 2  # MNIST's centre of mass is at index 14, the middle of that pixel
    matrix = np.array(
        [[scale, 0, middle + half - scale * x], [0, scale, middle + half - scale * y]]
    )
    matrix[:, 2] += scale / 2 - 0.5  # warpAffine's coordinates name the middles of pixels
    size = (SIDE * FINE, SIDE * FINE)
    fine = cv2.warpAffine(box.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    small = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(small, alpha=255)


def _binarize(ink: FloatArray, sure: BoolArray) -> ByteArray:
    """The ink in black and white, its longer side BOX * FINE pixels, with a margin."""
    scale = BOX * FINE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    size = (width, height)
    fine = (
        downscale(ink, size) if scale < 1 else cv2.resize(ink, size, interpolation=cv2.INTER_CUBIC)
    )
    known = cv2.resize(sure.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    fine, known = (
        cv2.copyMakeBorder(a, RIM, RIM, RIM, RIM, cv2.BORDER_CONSTANT) for a in (fine, known)
    )
    fine = cv2.GaussianBlur(fine, (0, 0), max(0.19 * FINE, scale / 2))
    reach = NEARBY * FINE | 1
    around = cv2.dilate(fine, np.ones((reach, reach), np.uint8))
    strokes = (fine > np.maximum(HALF * around, FAINTEST)) | (_line_strength(fine) > LINE)
    count, labels = cv2.connectedComponents(strokes.astype(np.uint8))
    joined = np.zeros(count, np.uint8)
    joined[labels[(known > 0) & strokes]] = 1
    return joined[labels]


def _line_strength(fine: FloatArray) -> FloatArray:
    """How much each pixel stands out from both sides of a line through it, but not along it.

    Thin strokes are fainter than the rest, and where a pen hardly touched the paper there is
    less than half of the ink. The eigenvalues of the second derivatives find them (Steger, "An
    unbiased detector of curvilinear structures", 1998).
    """
    smooth = cv2.GaussianBlur(fine, (0, 0), BREADTH * FINE)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, *orders, ksize=3, scale=0.25 * (BREADTH * FINE) ** 2)
        for orders in ((2, 0), (0, 2), (1, 1))
    )
    mean, half = (xx + yy) / 2, cv2.magnitude((xx - yy) / 2, xy)
    return np.asarray(half - mean - np.abs(half + mean) / 2)


def _with_standard_width(solid: ByteArray) -> ByteArray:
    width = stroke_width(solid) / FINE
    change = (min(max(width, PEN[0]), PEN[1]) - width) / 2 * FINE
    if change > 0:
        return (cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5) <= change).astype(np.uint8)
    if change < 0:
        return (cv2.distanceTransform(solid, cv2.DIST_L2, 5) > -change).astype(np.uint8)
    return solid
