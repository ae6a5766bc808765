"""Extract the digits of a decoded image as the glyphs that the network was trained on.

The steps are those of MNIST's makers: the digit's box is scaled into 20 x 20 pixels with its
proportions kept, with anti-aliasing, and centered by mass in 28 x 28, light on dark. Glyphs of
another size have the same proportions.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocessing import connected_components, frame_removal, segmentation
from digits.preprocessing.arrays import BoolArray, ByteArray, FloatArray, IntArray
from digits.preprocessing.artifact_filter import is_glyph
from digits.preprocessing.connected_components import ConnectedComponents, crop
from digits.preprocessing.foreground import Foreground, extract_foreground
from digits.preprocessing.glyph_normalization import BOX, SIDE, normalize_glyph
from digits.preprocessing.image_decoding import DecodedImage
from digits.preprocessing.line_removal import remove_lines
from digits.preprocessing.thresholds import estimate_thresholds

LINE_LENGTH = 0.7  # of the image's side: a longer component may contain a printed line


@dataclass(frozen=True)
class ExtractedGlyphs:
    """The n digits of an image in reading order; n is 0 on an empty page.

    `boxes` int64 [n, 4]: left, top, right, bottom in pixels of the upright image.
    `rows` int64 [n]: the line of text of each digit, from 0.
    `images` uint8 [n, side, side]: the network's input, 0 the background.
    """

    boxes: IntArray
    rows: IntArray
    images: ByteArray


def extract_glyphs(
    image: DecodedImage, several: bool | None = None, side: int = SIDE
) -> ExtractedGlyphs:
    """Extract the digits of `image` as glyphs of `side` x `side` pixels.

    `several`: True for any number, None to decide automatically, False for exactly one, which
    may then be strokes of any shape.
    """
    glyph = _as_normalized_glyph(image.pixels, side)
    if glyph is not None:
        return glyph
    cv2.setNumThreads(1)  # the steps are too short to pay for waking other threads
    foreground = extract_foreground(image.pixels)
    components = glyph_components(foreground)
    if several is False and not len(components.ids):
        components = connected_components.find_components(foreground)
    group = segmentation.single_glyph if several is False else segmentation.separate_glyphs
    digits = group(components)
    boxes = segmentation.enclosing_boxes(components.boxes, digits)
    crops = [_crop_glyph(foreground, components, *d) for d in zip(digits, boxes, strict=True)]
    drawn = [
        i
        for i, cropped in enumerate(crops)
        if several is False or is_glyph(*cropped, boxes[i], foreground)
    ]
    glyphs = np.array([normalize_glyph(*crops[i], side) for i in drawn], np.uint8)
    glyphs = glyphs.reshape(-1, side, side)
    visible = glyphs.any((1, 2))
    boxes, glyphs = boxes[drawn][visible], glyphs[visible]
    rows = segmentation.assign_rows(boxes)
    order = np.lexsort([boxes[:, 0], rows])
    scale = image.size[0] / image.pixels.shape[1]
    full_size = np.rint(boxes[order] * scale).astype(np.int64)
    return ExtractedGlyphs(full_size, rows[order], glyphs[order])


def _crop_glyph(
    foreground: Foreground, components: ConnectedComponents, members: IntArray, box: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Return the ink's coverage within `box`, 0..1, and the mask of the digit's components.

    Other components are left out; ink outside of any component stays.
    """
    labels = crop(components.labels, box)
    mask = np.logical_or.reduce([labels == i for i in components.ids[members]])
    intensity = crop(components.intensity, box) * (mask | (labels == 0))
    low, high, _ = foreground.thresholds
    coverage = ((np.arange(256, dtype=np.float32) - low) / (high - low)).clip(0, 1)
    return cv2.LUT(intensity, coverage), mask


def _as_normalized_glyph(pixels: ByteArray, side: int) -> ExtractedGlyphs | None:
    """Return an image that already is normalized as MNIST's are, unchanged; else None."""
    gray = pixels[..., 0]
    if gray.shape != (side, side) or np.ptp(pixels, axis=2).any():
        return None
    gray = 255 - gray if gray[0, 0] > 127 else gray
    left, top, width, height = cv2.boundingRect(gray)
    mass = cv2.moments(gray)
    off_center = (abs(mass[m] / mass["m00"] - side / 2) > 0.6 for m in ("m10", "m01"))
    if max(width, height) != round(side * BOX / SIDE) or any(off_center):
        return None
    box = np.array([[left, top, left + width, top + height]])
    return ExtractedGlyphs(box, np.zeros(1, np.int64), gray[None].copy())


def glyph_components(foreground: Foreground) -> ConnectedComponents:
    """Find the components that may belong to digits, without lines, frames and cut-off parts."""
    components = connected_components.find_components(foreground)
    if (components.sizes / foreground.intensity.shape[::-1] > LINE_LENGTH).any():
        rest = remove_lines(foreground.intensity)
        if rest is not None:
            cleaned = Foreground(rest, estimate_thresholds(rest))
            components = connected_components.find_components(cleaned)
    return frame_removal.remove_border_components(frame_removal.remove_frames(components))
