"""Separate ink from its background: RGB pixels to the intensity of the foreground.

The projection of colors on gray is here; `shading_correction`, `ink_polarity` and `page_detection`
have the steps after that.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocessing.arrays import MAX_SIDE, ByteArray, make_thumbnail
from digits.preprocessing.ink_polarity import has_dark_ink
from digits.preprocessing.page_detection import page_region
from digits.preprocessing.shading_correction import estimate_background, estimate_illumination
from digits.preprocessing.thresholds import Thresholds, estimate_thresholds, quantile

SAMPLE_SIDE = 80  # pixels: enough to tell an image's colors
MIN_CONTRAST = 14  # of 255, between foreground and background
MIN_DETAIL = 24  # of 255: with less local contrast there are no colors to project on


@dataclass(frozen=True)
class Foreground:
    """`intensity` uint8 [height, width], 0 the background, larger for more ink; thresholds."""

    intensity: ByteArray
    thresholds: Thresholds


def extract_foreground(pixels: ByteArray) -> Foreground:
    """Return the foreground of RGB pixels, uint8 [height, width, 3]; all 0 where none is seen."""
    gray = _project_to_gray(pixels)
    if max(gray.shape) > 2 * MAX_SIDE:
        gray = cv2.GaussianBlur(gray, (3, 3), 0)
    thumb = make_thumbnail(gray)
    page = page_region(thumb)
    if page is not None:
        thumb[~page] = quantile(thumb, 0.5, page.view(np.uint8))
    light = estimate_illumination(thumb)
    flat = cv2.subtract(thumb, light, dtype=cv2.CV_8U)
    if not has_dark_ink(flat):
        gray, flat, light = cv2.bitwise_not(gray), cv2.bitwise_not(flat), -light
    background = cv2.add(estimate_background(flat), light, dtype=cv2.CV_8U)
    brightness, size = cv2.mean(background)[0] / 255, gray.shape[::-1]
    background = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR)
    # relative to the light that falls there, so that shadows do not make ink fainter
    intensity = cv2.bitwise_not(cv2.divide(gray, cv2.max(background, 1), scale=255))
    if page is not None:
        intensity *= cv2.resize(page.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    levels = estimate_thresholds(intensity)
    if (levels.foreground - levels.background) * brightness < MIN_CONTRAST:
        return Foreground(np.zeros_like(gray), Thresholds(0, 0, 0))
    return Foreground(intensity, levels)


def _project_to_gray(pixels: ByteArray) -> ByteArray:
    """Mix red, green and blue so that ink and background differ most (principal component)."""
    step = max(1, max(pixels.shape[:2]) // SAMPLE_SIDE)
    height, width = (max(1, side // step) for side in pixels.shape[:2])
    sample = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST)
    red, green, blue = cv2.split(sample)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(pixels[..., 1])
    size = max(sample.shape[:2]) // 8 | 1
    detail = sample - cv2.blur(sample.astype(np.float32), (size, size))
    if np.abs(detail).max() < MIN_DETAIL:
        return np.ascontiguousarray(pixels[..., 1])
    energy = cv2.transform(cv2.multiply(detail, detail), np.ones((1, 3), np.float32))
    detail *= cv2.sqrt(energy)[..., None]  # large differences are ink, small ones are noise
    points = detail.reshape(-1, 3)
    axis = cv2.eigen(points.T @ points)[2][0]
    axis *= np.sign(axis.sum()) / np.abs(axis).sum()
    # in steps on bytes, which OpenCV vectorizes; cv2.transform would need floats
    channels = [
        cv2.bitwise_not(c) if w < 0 else c for c, w in zip(cv2.split(pixels), axis, strict=True)
    ]
    first, second, third = np.abs(axis).tolist()
    both = max(first + second, 1e-9)  # ink may differ in blue alone
    mixed = cv2.addWeighted(channels[0], first / both, channels[1], second / both, 0)
    return cv2.addWeighted(mixed, both, channels[2], third, 0)
