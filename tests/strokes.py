"""Draw digits from strokes, each time with random variations, on photographed paper.

A stroke is a list of points (x, y) in 0..1, x to the right, y down, in the order in which a
pen passes them. They were drawn for this project and are no person's handwriting.
"""

import io

import cv2
import numpy as np

# Points that the pen passes; `smooth` makes a curve of them. A corner is a doubled point.
STROKES = {
    "0": [[(0.54, 0.05), (0.30, 0.14), (0.18, 0.42), (0.22, 0.76), (0.43, 0.95), (0.67, 0.87),
           (0.80, 0.58), (0.77, 0.26), (0.60, 0.07), (0.48, 0.06)]],
    "1": [[(0.33, 0.26), (0.46, 0.17), (0.56, 0.05), (0.56, 0.05), (0.54, 0.48), (0.51, 0.95)]],
    "2": [[(0.22, 0.27), (0.31, 0.10), (0.52, 0.05), (0.71, 0.17), (0.71, 0.38), (0.52, 0.63),
           (0.23, 0.92), (0.23, 0.92), (0.50, 0.90), (0.80, 0.91)]],
    "3": [[(0.25, 0.13), (0.46, 0.05), (0.67, 0.13), (0.68, 0.33), (0.43, 0.46), (0.43, 0.46),
           (0.68, 0.55), (0.76, 0.74), (0.60, 0.93), (0.36, 0.93), (0.20, 0.82)]],
    "4": [[(0.42, 0.06), (0.32, 0.33), (0.19, 0.61), (0.19, 0.61), (0.48, 0.61), (0.83, 0.58)],
          [(0.66, 0.33), (0.63, 0.62), (0.60, 0.96)]],
    "5": [[(0.33, 0.07), (0.30, 0.25), (0.27, 0.44), (0.27, 0.44), (0.48, 0.39), (0.70, 0.48),
           (0.75, 0.70), (0.61, 0.90), (0.39, 0.94), (0.22, 0.84)],
          [(0.33, 0.07), (0.55, 0.07), (0.77, 0.05)]],
    "6": [[(0.63, 0.04), (0.41, 0.24), (0.26, 0.52), (0.26, 0.78), (0.43, 0.95), (0.65, 0.89),
           (0.73, 0.70), (0.58, 0.55), (0.38, 0.60), (0.28, 0.76)]],
    "7": [[(0.20, 0.10), (0.48, 0.09), (0.78, 0.07), (0.78, 0.07), (0.60, 0.45), (0.45, 0.95)]],
    "8": [[(0.66, 0.16), (0.48, 0.05), (0.32, 0.16), (0.37, 0.36), (0.58, 0.50), (0.72, 0.70),
           (0.63, 0.90), (0.43, 0.95), (0.28, 0.82), (0.35, 0.61), (0.57, 0.44), (0.69, 0.28),
           (0.66, 0.14)]],
    "9": [[(0.71, 0.22), (0.55, 0.06), (0.34, 0.13), (0.28, 0.34), (0.42, 0.48), (0.62, 0.41),
           (0.71, 0.22), (0.71, 0.22), (0.69, 0.55), (0.62, 0.95)]],
}  # fmt: skip


def smooth(points, steps=12):
    """Return a curve through `points` (Catmull and Rom, 1974), as (n, 2)."""
    path = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(path[:-3], path[1:-2], path[2:-1], path[3:], strict=True):
        line = 2 * b + t * (c - a) + t**2 * (2 * a - 5 * b + 4 * c - d)
        parts.append((line + t**3 * (3 * b - 3 * c + d - a)) / 2)
    return np.concatenate([*parts, path[-1:]])


def written(digit, rng):
    """Return the strokes of a digit as curves (n, 2) in about 0..1, with random variations."""
    turn, slant = rng.normal(0, 0.05), rng.normal(-0.08, 0.08)
    width = rng.uniform(0.8, 1.05)
    matrix = np.array([[width, slant], [turn, 1]])
    curves = []
    for points in STROKES[digit]:
        jittered = np.array(points)
        corners = np.r_[True, (np.diff(jittered, axis=0) != 0).any(1)]
        jittered = (
            jittered + (rng.normal(0, 0.018, jittered.shape)[corners])[np.cumsum(corners) - 1]
        )
        curves.append((smooth(jittered) - 0.5) @ matrix.T + 0.5)
    return curves


def mask(curves, box, shape, pen, rng):
    """Return the ink (height, width), 0..1, of curves scaled into `box` (left, top, width, height).

    `pen` is the stroke width in pixels; it varies along the curve as the pressure of a hand.
    """
    fine = 4  # times as large, then averaged, for anti-aliasing
    ink = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    for curve in curves:
        points = (np.array(box[:2]) + curve * np.array(box[2:])) * fine
        ends = np.rint(points * 16).astype(int).tolist()  # in sixteenths, as `shift` says
        pressure = 1 + 0.15 * np.sin(np.linspace(0, rng.uniform(2, 7), len(points) - 1))
        for start, end, press in zip(ends[:-1], ends[1:], pressure, strict=True):
            width = max(1, round(pen * fine * press))
            cv2.line(ink, start, end, 255, width, cv2.LINE_AA, shift=4)
    small = cv2.resize(ink, shape[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def empty(rng, shape=(200, 150)):
    """Return an empty page in even light, uint8 (height, width, 3)."""
    noise = rng.normal(0, 2, (*shape, 3))
    return np.clip(np.rint(np.float32((240, 238, 230)) + noise), 0, 255).astype(np.uint8)


def page(text, rng, *, shape=None, pen=6, paper=(240, 238, 230), ink=(35, 40, 90)):
    """Return a page with `text`, uint8 (height, width, 3); `/` begins a new row of digits.

    `shape` is (height, width) in pixels, `pen` the stroke width, `paper` and `ink` are RGB. A
    shadow falls on the paper, and the camera adds noise.
    """
    rows = text.split("/")
    height, width = shape or (120 * len(rows) + 60, 75 * max(map(len, rows)) + 90)
    step, line = (width - 90) / max(1, *map(len, rows)), (height - 60) / len(rows)
    inked = np.zeros((height, width), np.float32)
    for row, digits in enumerate(rows):
        for place, digit in enumerate(digits):
            x = 45 + step * (place + 0.5) + rng.normal(0, 2)
            y = 30 + line * (row + 0.5) + rng.normal(0, 3)
            size = min(line * 0.62, step * 1.4) * rng.uniform(0.92, 1.08)
            box = (x - size * 0.4, y - size / 2, size * 0.8, size)
            inked = np.maximum(inked, mask(written(digit, rng), box, (height, width), pen, rng))
    return photographed(inked, rng, paper, ink)


def photographed(inked, rng, paper, ink):
    """Photograph ink (height, width), 0..1, on paper: uint8 (height, width, 3)."""
    height, width = inked.shape
    color = np.float32(paper) + inked[..., None] * (np.float32(ink) - np.float32(paper))
    y, x = np.mgrid[:height, :width] / max(height, width)
    turn = rng.uniform(0, 2 * np.pi)
    light = 1 - 0.18 * (np.cos(turn) * x + np.sin(turn) * y + 0.7)
    edge = 1 / (1 + np.exp(-30 * (x * 0.6 + y - rng.uniform(0.5, 1.1))))
    color *= (light * (1 - 0.15 * edge))[..., None]
    fibre = cv2.GaussianBlur(rng.normal(0, 1, inked.shape).astype(np.float32), (0, 0), 1.2)
    color += 4 * fibre[..., None] + rng.normal(0, 2, color.shape)
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)


def packed(image, kind, **how):
    """Return an image as the bytes of a file of the format `kind`."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()
