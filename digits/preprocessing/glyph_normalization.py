"""Normalize one digit's ink into a glyph as MNIST's makers would have made it.

Their images are black-and-white scans, scaled into 20 x 20 pixels with anti-aliasing and centered
by mass in 28 x 28 (LeCun et al., "Gradient-based learning applied to document recognition",
1998). So the ink is binarized first, OVERSAMPLING times finer than the result. Slant is not
corrected, because the networks are trained on slanted digits.

Widths below are in pixels of MNIST's glyphs; `fine` is the number of working pixels in one.
"""

import cv2
import numpy as np

from digits.preprocessing.arrays import BoolArray, ByteArray, FloatArray, downscale, square_kernel
from digits.preprocessing.stroke_width import stroke_width

SIDE, BOX = 28, 20  # pixels of MNIST's glyphs and of the digit within; other sizes in proportion
OVERSAMPLING = 4  # working pixels per pixel of MNIST's glyphs, of a glyph that is not larger
PAD = 4  # room for strokes that are made wider
MIN_COVERAGE = 0.3  # ink with less counts only where it is a line
LOCAL_THRESHOLD = 0.5  # of the darkest nearby: lighter pixels are the edge of a stroke
NEIGHBORHOOD = 4
LINE_CONTRAST = 0.05  # of full coverage: how much a faint line stands out from both sides
LINE_SIGMA = 0.75  # scale of the lines that are looked for
STROKE_WIDTHS = (2.6, 3.5)  # other widths are changed to the nearer end


def normalize_glyph(coverage: FloatArray, mask: BoolArray, side: int = SIDE) -> ByteArray:
    """Return the glyph uint8 [side, side], 0 the background, of `coverage` [height, width], 0..1.

    `mask` [height, width] is where the digit's components are: other ink counts where it is
    connected to them. The glyph is all 0 where the ink is too faint for a stroke.
    """
    fine = OVERSAMPLING * -(-side // SIDE)
    solid = _binarize(coverage, mask, fine)
    if not solid.any():
        return np.zeros((side, side), np.uint8)
    return _scale_and_center(_with_standard_width(solid, fine), side, fine)


def _scale_and_center(solid: ByteArray, side: int, fine: int) -> ByteArray:
    """Scale `solid` into BOX parts of SIDE, and center its mass in `side` x `side` pixels."""
    left, top, width, height = cv2.boundingRect(solid)
    box = solid[top : top + height, left : left + width]
    scale = BOX * fine / max(box.shape)
    # MNIST's centre of mass is at index 14, the middle of that pixel
    middle = SIDE / 2 * fine + fine / 2
    mass = cv2.moments(box, binaryImage=True)
    x, y = mass["m10"] / mass["m00"] + 0.5, mass["m01"] / mass["m00"] + 0.5
    matrix = np.array([[scale, 0, middle - scale * x], [0, scale, middle - scale * y]])
    matrix[:, 2] += scale / 2 - 0.5  # warpAffine's coordinates are the middles of pixels
    canvas = (SIDE * fine, SIDE * fine)
    large = cv2.warpAffine(box.astype(np.float32), matrix, canvas, flags=cv2.INTER_LINEAR)
    small = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(small, alpha=255)


def _binarize(coverage: FloatArray, mask: BoolArray, fine: int) -> ByteArray:
    """Return the ink as 0 or 1, its longer side BOX * `fine` pixels, with a margin."""
    scale, pad = BOX * fine / max(coverage.shape), PAD * fine
    size = (max(1, round(coverage.shape[1] * scale)), max(1, round(coverage.shape[0] * scale)))
    if scale < 1:
        ink = downscale(coverage, size)
    else:
        ink = cv2.resize(coverage, size, interpolation=cv2.INTER_CUBIC)
    known = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    known = cv2.copyMakeBorder(known, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    ink = cv2.copyMakeBorder(ink, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    ink = cv2.GaussianBlur(ink, (0, 0), max(0.19 * fine, scale / 2))
    darkest = cv2.dilate(ink, square_kernel(NEIGHBORHOOD * fine | 1))
    strokes = ink > np.maximum(LOCAL_THRESHOLD * darkest, MIN_COVERAGE)
    strokes |= _line_strength(ink, LINE_SIGMA * fine) > LINE_CONTRAST
    count, labels = cv2.connectedComponents(strokes.astype(np.uint8))
    connected = np.zeros(count, np.uint8)
    connected[labels[(known > 0) & strokes]] = 1
    return connected[labels]


def _line_strength(ink: FloatArray, sigma: float) -> FloatArray:
    """Return how much each pixel stands out from both sides of a line through it.

    Thin strokes are fainter than others, and less than half covered where the pen hardly touched
    the paper. The eigenvalues of the second derivatives find them (Steger, "An unbiased detector
    of curvilinear structures", 1998).
    """
    smooth = cv2.GaussianBlur(ink, (0, 0), sigma)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, *orders, ksize=3, scale=0.25 * sigma**2)
        for orders in ((2, 0), (0, 2), (1, 1))
    )
    mean, half = (xx + yy) / 2, cv2.magnitude((xx - yy) / 2, xy)
    return np.asarray(half - mean - np.abs(half + mean) / 2)


def _with_standard_width(solid: ByteArray, fine: int) -> ByteArray:
    """Dilate or erode `solid` until its stroke width is within STROKE_WIDTHS.

    Unchanged if nothing would be left.
    """
    width = stroke_width(solid) / fine
    change = (min(max(width, STROKE_WIDTHS[0]), STROKE_WIDTHS[1]) - width) / 2 * fine
    if change > 0:
        return (cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5) <= change).astype(np.uint8)
    thinner = (cv2.distanceTransform(solid, cv2.DIST_L2, 5) > -change).astype(np.uint8)
    return thinner if thinner.any() else solid
