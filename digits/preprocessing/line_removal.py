"""Remove printed lines, along and across, from the foreground's intensity.

Works on intensities and not on components, because lines touch the digits that stand on them.
"""

import cv2
import numpy as np

from digits.preprocessing.arrays import ByteArray
from digits.preprocessing.stroke_width import mean_stroke_width
from digits.preprocessing.thresholds import estimate_thresholds

MIN_LENGTH = 0.4  # of the image's side: no stroke of a digit runs straight so far
HALF_THICKNESS = 0.012  # of the longer side: half of a printed line's greatest thickness
WANDER = 0.012  # of the side: how far a line may leave the straight over its length
MAX_LINE_WIDTH = 0.8  # of the digits' stroke width: printed lines are finer
MANY_LINES = 6  # total length in lines: more than a digit that fills the image has


def remove_lines(intensity: ByteArray) -> ByteArray | None:
    """Return `intensity`, uint8 [height, width], without lines; None if it has none.

    A morphological opening finds long straight structures. Their intensity is subtracted, so a
    darker stroke that crosses a line stays visible.
    """
    rest = _remove_horizontal_lines(intensity)
    rest = cv2.transpose(_remove_horizontal_lines(cv2.transpose(rest)))
    return rest if _are_printed(cv2.subtract(intensity, rest), rest) else None


def _remove_horizontal_lines(intensity: ByteArray) -> ByteArray:
    """Subtract lines from left to right, and close the gaps that they leave in strokes."""
    rest = cv2.subtract(intensity, _horizontal_lines(intensity))
    # a stroke as dark as the line has a gap now: bridge it from above to below
    gap = cv2.subtract(intensity, rest)
    kernel = np.ones((4 * _max_wander(intensity) + 5, 1), np.uint8)
    return cv2.max(rest, cv2.min(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, kernel), gap))


def _are_printed(lines: ByteArray, rest: ByteArray) -> bool:
    """Return whether `lines` are finer than the strokes of `rest`, or more than strokes can be."""
    masks = [(a > estimate_thresholds(a).midpoint).astype(np.uint8) for a in (lines, rest)]
    if not masks[0].any():
        return False
    width, stroke_width = map(mean_stroke_width, masks)
    count = masks[0].sum() / (MIN_LENGTH * max(lines.shape) * width)
    return bool(count > MANY_LINES or width < MAX_LINE_WIDTH * stroke_width)


def _horizontal_lines(intensity: ByteArray) -> ByteArray:
    """Return how much of each pixel's intensity belongs to a fine line from left to right."""
    thickest = 2 * int(HALF_THICKNESS * max(intensity.shape)) + 3
    fine = cv2.morphologyEx(intensity, cv2.MORPH_TOPHAT, np.ones((thickest, 1), np.uint8))
    along = np.ones((1, max(3, int(MIN_LENGTH * intensity.shape[1]))), np.uint8)
    near = cv2.dilate(fine, np.ones((2 * _max_wander(intensity) + 1, 1), np.uint8))
    # where two lines cross, neither is fine
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, thickest), np.uint8))
    return cv2.min(fine, cv2.morphologyEx(near, cv2.MORPH_OPEN, along))


def _max_wander(intensity: ByteArray) -> int:
    """Return the pixels by which a line may leave the straight."""
    return max(1, int(WANDER * intensity.shape[1]))
