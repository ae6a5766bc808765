"""Where the ink is: RGB pixels -> how much darker (or lighter, or redder) than the paper.

Decides which of the two is the ink, and removes paper, light and shadows. Widths of
structures are given as shares of the picture's longer side, because nothing else is known yet.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

THUMB = 128  # pixels on the longer side: enough for light, paper and polarity
EVEN = 0.3  # of the deviations: light that explains less of them is none
WIDEST = 0.35  # of the longer side: a stroke is thinner, what is wider is shadow or paper
INSETS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15)  # of the shorter side
RARE = 16  # pixels: so many of the darkest may be anything
REACH = 4.0  # stroke widths: what is wider than this is no stroke of the pen
SOLID = 0.25  # of the way from ink to paper: what is darker is ink however wide it is
SCALES = (0.04, 0.06, 0.09, 0.13, 0.19, 0.27, 0.4)  # of the longer side


@dataclass(frozen=True)
class Ink:
    """`amount` uint8 [height, width]: 0 paper, the more the more ink.

    `paper` and `level`: typical amounts where there is none and where there is ink.
    `noise`: spread of the amounts on paper. All in the units of `amount`.
    """

    amount: Bytes
    paper: float
    level: float
    noise: float


def extract(pixels: Bytes) -> Ink:
    """The ink of an RGB picture, uint8 [height, width, 3]."""
    grey = _projected(pixels)
    if max(grey.shape) > 2 * THUMB:
        grey = cv2.GaussianBlur(grey, (3, 3), 0)
    thumb = _thumb(grey)
    sheet = _sheet(thumb)
    thumb[~sheet] = np.median(thumb[sheet])
    light = _light(thumb)
    if not _dark_ink(thumb - light):
        grey, thumb, light = cv2.bitwise_not(grey), 255 - thumb, -light
    paper = _paper(thumb - light) + light
    paper = np.clip(np.rint(paper), 0, 255).astype(np.uint8)
    paper = cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # a share of the light that falls there, so that shadows do not make ink fainter
    amount = 255 - cv2.divide(grey, np.maximum(paper, 1), scale=255)
    if not sheet.all():
        whole = cv2.resize(
            sheet.astype(np.uint8), grey.shape[::-1], interpolation=cv2.INTER_NEAREST
        )
        amount *= whole
    return Ink(amount, *_levels(amount))


def _projected(pixels: Bytes) -> Bytes:
    """The mixture of red, green and blue in which ink and paper differ most."""
    step = max(1, max(pixels.shape[:2]) // (2 * THUMB))
    sample = pixels[::step, ::step].astype(np.float32)
    if np.array_equal(sample[..., 0], sample[..., 1]) and np.array_equal(
        sample[..., 1], sample[..., 2]
    ):
        return np.ascontiguousarray(pixels[..., 1])
    size = max(sample.shape[:2]) // 8 | 1
    detail = (sample - cv2.blur(sample, (size, size))).reshape(-1, 3)
    strength = (detail**2).sum(1, keepdims=True)  # large differences are ink, small ones noise
    mixture = np.linalg.eigh(detail.T @ (detail * strength))[1][:, -1]
    mixture *= np.sign(mixture.sum()) / np.abs(mixture).sum()
    offset = -255 * mixture.clip(max=0).sum()
    return cv2.transform(pixels, np.append(mixture, offset)[None].astype(np.float32))


def _thumb(grey: Bytes) -> Floats:
    factor = THUMB / max(grey.shape)
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return grey.astype(np.float32)


def _sheet(thumb: Floats) -> NDArray[np.bool_]:
    """Where the sheet of paper lies, if it lies on something darker; else everywhere.

    A sheet is bright, large, four-cornered, has a sharp edge, and something is on it.
    """
    everywhere = np.ones(thumb.shape, np.bool_)
    level, bright = cv2.threshold(thumb.astype(np.uint8), 0, 1, cv2.THRESH_OTSU)
    size = max(thumb.shape) // 16 | 1
    around = cv2.copyMakeBorder(bright, *[size] * 4, cv2.BORDER_CONSTANT)  # keeps narrow margins
    closed = cv2.morphologyEx(around, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    closed = np.ascontiguousarray(closed[size:-size, size:-size])
    outlines = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    outline = max(outlines, key=cv2.contourArea)
    box = cv2.minAreaRect(outline)
    area = cv2.contourArea(outline)
    if area < 0.2 * thumb.size or area < 0.88 * box[1][0] * box[1][1]:
        return everywhere
    sheet = cv2.drawContours(np.zeros_like(closed), [outline], -1, 1, cv2.FILLED)
    inner = cv2.erode(sheet, np.ones((5, 5), np.uint8), borderValue=1).astype(np.bool_)
    outer = cv2.dilate(sheet, np.ones((5, 5), np.uint8)) == 0
    if outer.sum() < 0.02 * thumb.size:
        return everywhere
    dark, paper = np.median(thumb[outer]), np.median(thumb[inner])
    something = (bright[inner] == 0).mean()
    rim = inner & (cv2.erode(inner.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1) == 0)
    clean = (bright[rim] == 0).mean() < 0.05 and bright[outer].mean() < 0.1
    between = (np.abs(thumb - (dark + paper) / 2) < 0.25 * (paper - dark)) & ~inner & ~outer
    sharp = between.sum() < 1.5 * len(outline)
    rest = cv2.findNonZero(outer.astype(np.uint8))
    corner = outer.sum() < 0.9 * cv2.contourArea(cv2.convexHull(rest))  # a shadow has none
    if dark < 0.6 * paper and 0.002 < something < 0.3 and sharp and clean and corner:
        return inner
    return everywhere


def _light(thumb: Floats) -> Floats:
    """How the light changes over the picture, with mean 0; all 0 where it seems even.

    A plane or paraboloid through most pixels, ink and its polarity notwithstanding: least
    absolute deviations by reweighted least squares.
    """
    step = max(1, max(thumb.shape) // 32)
    height, width = thumb.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    points, values = basis[::step, ::step].reshape(-1, 6), thumb[::step, ::step].ravel()
    weights = np.ones_like(values)
    for _ in range(10):
        weighted = points * weights[:, None]
        normal = weighted.T @ points + 1e-3 * np.eye(6, dtype=np.float32)
        rest = values - points @ (fit := np.linalg.solve(normal, weighted.T @ values))
        weights = 1 / np.maximum(np.abs(rest), 1)
    if np.median(np.abs(rest)) > EVEN * np.median(np.abs(values - np.median(values))):
        return np.zeros_like(thumb)
    light = basis @ fit
    return light - light.mean()


def _dark_ink(thumb: Floats) -> bool:
    """Whether the ink is darker than the paper."""
    if max(thumb.shape) > 40:
        thumb = cv2.GaussianBlur(thumb, (3, 3), 0)
    energies = []
    for scale in SCALES:
        size = max(3, int(scale * max(thumb.shape)) | 1)
        kernel = np.ones((size, size), np.uint8)
        hats = (
            cv2.morphologyEx(thumb, way, kernel) for way in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
        )
        energies.append([float(np.square(hat).sum()) for hat in hats])
    energy = np.array(energies) + 1e-3
    thin = (energy / energy[-1]).mean(0)
    thinner = np.log(thin[0] / thin[1])
    stronger = np.log((energy.mean(0) * thin)[0] / (energy.mean(0) * thin)[1])
    level = cv2.threshold(np.clip(thumb, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0]
    edge = _edge(thumb > level)
    return bool(thinner + 0.5 * stronger + 1.5 * (2 * edge - 1) > 0)


def _edge(light: NDArray[np.bool_]) -> float:
    """The share of light pixels on the picture's edge, 0..1; within a frame if there is one."""
    shares = []
    for inset in INSETS:
        depth = int(inset * min(light.shape))
        inner = light[depth : len(light) - depth, depth : light.shape[1] - depth]
        shares.append(np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]).mean())
    even = [share for share in shares if abs(2 * share - 1) > 0.9]
    return float(even[-1] if even else np.mean(shares[:3]))


def _paper(thumb: Floats) -> Floats:
    """The paper under dark ink, lit as it is: first any stroke is filled, then this pen's."""
    smooth = cv2.GaussianBlur(thumb, (3, 3), 0) if max(thumb.shape) > 40 else thumb
    widest = int(WIDEST * max(thumb.shape)) | 1
    paper = _filled(smooth, widest)
    pen = _pen(paper - smooth)
    size = 2 * int(REACH * pen / 2 + 2) + 1
    if size < widest:
        paper = _filled(smooth, size)
    return cv2.blur(paper, (3, 3)) if max(thumb.shape) > 40 else paper


def _filled(thumb: Floats, size: int) -> Floats:
    """`thumb` without what is dark and narrower than `size`, and without what is solid ink."""
    kernel = np.ones((size, size), np.uint8)
    around = cv2.copyMakeBorder(thumb, *[size] * 4, cv2.BORDER_REFLECT)
    closed = cv2.morphologyEx(around, cv2.MORPH_CLOSE, kernel)[size:-size, size:-size].copy()
    amount = closed - thumb
    inked = amount > max(_levels(amount.clip(0, 255).astype(np.uint8))[1] / 2, 1)
    if inked.any():
        # along the picture's edge a stroke may seem too wide; but it is as dark as the others
        dark, white = np.percentile(thumb[inked], 20), np.percentile(closed, 90)
        solid = ~inked & (thumb < dark + SOLID * (white - dark))
        solid = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        solid = cv2.dilate(solid, np.ones((3, 3), np.uint8)).astype(np.bool_)
        closed[solid] = np.maximum(closed[solid], white)
    return closed


def _pen(amount: Floats) -> float:
    """The typical width of strokes in pixels."""
    level = _levels(amount.clip(0, 255).astype(np.uint8))[1] / 2
    inner = cv2.distanceTransform((amount > max(level, 1)).astype(np.uint8), cv2.DIST_L2, 5)
    ridge = inner[(inner >= cv2.dilate(inner, np.ones((3, 3), np.uint8))) & (inner > 0)]
    return 2 * float(np.median(ridge)) if len(ridge) else 1.0


def _levels(amount: Bytes) -> tuple[float, float, float]:
    """Amounts of paper and of ink and the paper's spread, by Ridler and Calvard's iteration.

    It starts from the darkest, so that ink may be a hundredth of the picture or most of it
    ("Picture thresholding using an iterative selection method", 1978).
    """
    counts = cv2.calcHist([amount], [0], None, [256], [0, 256]).ravel()
    below = np.cumsum(counts)
    total = np.cumsum(counts * np.arange(256))
    half = int(np.searchsorted(below, below[-1] - RARE)) / 2
    for _ in range(50):
        at = int(half)
        paper = total[at] / max(below[at], 1)
        level = (total[-1] - total[at]) / max(below[-1] - below[at], 1)
        half, before = (paper + level) / 2, half
        if abs(half - before) < 0.5:
            break
    middle = np.searchsorted(below, 0.5 * below[int(half)])
    far = np.cumsum(np.bincount(np.abs(np.arange(int(half) + 1) - middle), counts[: int(half) + 1]))
    return float(paper), float(level), 1.4826 * float(np.searchsorted(far, 0.5 * far[-1]))
