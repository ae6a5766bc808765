"""Any picture of handwritten digits -> what the network was trained on.

Does what the makers of MNIST did: the digit's box scaled into 20 x 20 pixels keeping its
proportions, with anti-aliasing, centred by mass in 28 x 28, light on dark.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocessing import reading_order, segmentation
from digits.preprocessing.array_types import BoolArray, ByteArray, FloatArray, IntArray
from digits.preprocessing.artifact_filter import is_glyph
from digits.preprocessing.connected_components import (
    ConnectedComponents,
    box_sizes,
    find_components,
)
from digits.preprocessing.foreground import Foreground, extract_foreground
from digits.preprocessing.frame_removal import remove_border_components, remove_frames
from digits.preprocessing.glyph_normalization import BOX, SIDE, normalize_glyph
from digits.preprocessing.image_decoding import DecodedImage
from digits.preprocessing.line_removal import remove_lines
from digits.preprocessing.thresholds import estimate_thresholds


@dataclass(frozen=True)
class ExtractedGlyphs:
    """The digits of a picture in reading order; n may be 0, an empty page.

    `boxes` int [n, 4]: left, top, right, bottom in pixels of the upright picture.
    `rows` int [n]: the line of text that each belongs to, from 0.
    `pictures` uint8 [n, 28, 28]: what the network sees, 0 the background.
    """

    boxes: IntArray
    rows: IntArray
    images: ByteArray


def extract_glyphs(scan: DecodedImage, several: bool | None = None) -> ExtractedGlyphs:
    """The digits of `scan`.

    `several`: True as many as there are, False exactly one, None found automatically.
    """
    ready = _as_mnist_image(scan.pixels)
    if ready is not None:
        return ready
    cv2.setNumThreads(1)  # each step takes less than waking a second thread on a busy machine
    ink = extract_foreground(scan.pixels)
    strokes = glyph_components(ink)
    digits = (
        segmentation.single_glyph(strokes)
        if several is False
        else segmentation.separate_glyphs(strokes)
    )
    boxes = np.array(
        [segmentation.enclosing_box(strokes.boxes[members]) for members in digits], np.int64
    )
    boxes = boxes.reshape(-1, 4)
    looks = [_crop_glyph(ink, strokes, *digit) for digit in zip(digits, boxes, strict=True)]
    real = [i for i, look in enumerate(looks) if is_glyph(*look, boxes[i], ink)]
    pictures = np.array([normalize_glyph(*looks[i]) for i in real], np.uint8).reshape(
        -1, SIDE, SIDE
    )
    visible = pictures.any((1, 2))
    boxes, pictures = boxes[real][visible], pictures[visible]
    row = reading_order.assign_rows(boxes)
    order = np.lexsort([boxes[:, 0], row])
    scale = scan.size[0] / scan.pixels.shape[1]
    return ExtractedGlyphs(
        np.rint(boxes[order] * scale).astype(np.int64), row[order], pictures[order]
    )


def _crop_glyph(
    ink: Foreground, strokes: ConnectedComponents, members: IntArray, box: IntArray
) -> tuple[FloatArray, BoolArray]:
    """The share of ink, 0..1, within `box`, without other pieces; and where `members` are."""
    left, top, right, bottom = box
    inside = np.s_[top:bottom, left:right]
    labels = strokes.labels[inside]
    sure = np.logical_or.reduce([labels == i for i in strokes.ids[members]])
    amount = strokes.amount[inside] * (sure | (labels == 0))
    paper, level, _ = ink.thresholds
    shares = ((np.arange(256, dtype=np.float32) - paper) / (level - paper)).clip(0, 1)
    return cv2.LUT(amount, shares), sure


def _as_mnist_image(pixels: ByteArray) -> ExtractedGlyphs | None:
    """A picture that already is as MNIST's makers left theirs, as it is; else None."""
    grey = pixels[..., 0]
    if grey.shape != (SIDE, SIDE) or np.ptp(pixels, axis=2).any():
        return None
    if grey[0, 0] > 127:
        grey = 255 - grey
    left, top, width, height = cv2.boundingRect(grey)
    if max(width, height) != BOX:
        return None
    mass = cv2.moments(grey)
    if any(abs(mass[name] / mass["m00"] - SIDE / 2) > 0.6 for name in ("m10", "m01")):
        return None
    box = np.array([[left, top, left + width, top + height]])
    return ExtractedGlyphs(box, np.zeros(1, np.int64), grey[None].copy())


RULED = 0.7  # of the picture's side: what is longer may be a printed line


def glyph_components(ink: Foreground) -> ConnectedComponents:
    """What may belong to digits: clear ink, with the faint ink that touches it."""
    found = find_components(ink)
    across = box_sizes(found.boxes).T / np.array(ink.amount.shape[::-1])[:, None]
    if (across > RULED).any():
        unruled = remove_lines(ink.amount)
        if unruled is not None:
            found = find_components(Foreground(unruled, estimate_thresholds(unruled)))
    return remove_border_components(remove_frames(found))
