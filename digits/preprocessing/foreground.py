"""Where the ink is: RGB pixels -> how much darker (or lighter, or redder) than the paper."""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocessing.array_types import ByteArray
from digits.preprocessing.background import estimate_background
from digits.preprocessing.illumination import illumination
from digits.preprocessing.ink_polarity import has_dark_ink
from digits.preprocessing.page_detection import page_region
from digits.preprocessing.thresholds import Thresholds, estimate_thresholds
from digits.preprocessing.thumbnails import MAX_SIDE, make_thumbnail

SAMPLE = 80  # pixels: enough of a picture's colours
CONTRAST = 14  # of 255: what differs less from the paper is none
PLAIN = 24  # of 255: where colours differ less, there is none to go by


@dataclass(frozen=True)
class Foreground:
    """`amount` uint8 [height, width]: 0 paper, the more the more ink; and its levels."""

    amount: ByteArray
    thresholds: Thresholds


def extract_foreground(pixels: ByteArray) -> Foreground:
    """The ink of an RGB picture, uint8 [height, width, 3]."""
    grey = _project_to_gray(pixels)
    if max(grey.shape) > 2 * MAX_SIDE:
        grey = cv2.GaussianBlur(grey, (3, 3), 0)
    thumb = make_thumbnail(grey)
    on_table = page_region(thumb)
    if on_table is not None:
        thumb[~on_table] = np.median(thumb[on_table])
    lit = illumination(thumb)
    flat = cv2.subtract(thumb, lit, dtype=cv2.CV_8U)
    if not has_dark_ink(flat):
        grey, flat, lit = cv2.bitwise_not(grey), cv2.bitwise_not(flat), -lit
    paper = cv2.add(estimate_background(flat), lit, dtype=cv2.CV_8U)
    brightness = cv2.mean(paper)[0] / 255
    paper = cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # a share of the light that falls there, so that shadows do not make ink fainter
    amount = cv2.bitwise_not(cv2.divide(grey, cv2.max(paper, 1), scale=255))
    if on_table is not None:
        amount *= cv2.resize(
            on_table.astype(np.uint8), grey.shape[::-1], interpolation=cv2.INTER_NEAREST
        )
    found = estimate_thresholds(amount)
    if (found.ink - found.paper) * brightness < CONTRAST:
        return Foreground(np.zeros_like(grey), Thresholds(0, 0, 0))
    return Foreground(amount, found)


def _project_to_gray(pixels: ByteArray) -> ByteArray:
    """The mixture of red, green and blue in which ink and paper differ most."""
    step = max(1, max(pixels.shape[:2]) // SAMPLE)
    height, width = (max(1, side // step) for side in pixels.shape[:2])
    sample = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST)
    red, green, blue = cv2.split(sample)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(pixels[..., 1])
    size = max(sample.shape[:2]) // 8 | 1
    detail = sample - cv2.blur(sample.astype(np.float32), (size, size))
    if np.abs(detail).max() < PLAIN:
        return np.ascontiguousarray(pixels[..., 1])
    strength = cv2.transform(cv2.multiply(detail, detail), np.ones((1, 3), np.float32))
    detail *= cv2.sqrt(strength)[..., None]  # large differences are ink, small ones noise
    points = detail.reshape(-1, 3)
    spread = points.T @ points
    mixture = cv2.eigen(spread)[2][0]
    mixture *= np.sign(mixture.sum()) / np.abs(mixture).sum()
    # three steps on bytes take a third of the time of cv2.transform
    colours = [
        cv2.bitwise_not(colour) if share < 0 else colour
        for colour, share in zip(cv2.split(pixels), mixture, strict=True)
    ]
    first, second, third = np.abs(mixture).tolist()
    both = max(first + second, 1e-9)  # ink may differ in one colour alone
    most = cv2.addWeighted(colours[0], first / both, colours[1], second / both, 0)
    return cv2.addWeighted(most, both, colours[2], third, 0)
