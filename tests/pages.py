"""Draw photographs and scans of pages with MNIST digits on them, from a seed.

The steps are those of a real photograph: strokes of one color on paper of another, uneven
light, the noise of a camera, the compression of a file format.
"""

import cv2
import numpy as np


def stroke_mask(image, height, rng, angle=0.0, shear=0.0, pen=1.0):
    """Return the strokes of an MNIST image, float32 0..1, `height` pixels tall before turning.

    `angle` in degrees, `shear` in pixels sideways per pixel up; `pen` scales the width of
    the strokes.
    """
    rows, columns = np.nonzero(image.any(1))[0], np.nonzero(image.any(0))[0]
    digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    digit = cv2.copyMakeBorder(digit, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    fine = cv2.resize(digit, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    solid = (cv2.GaussianBlur(fine, (0, 0), 3) > 115).astype(np.uint8)
    if pen != 1:
        solid = _with_pen(solid, pen)
    scale = height / (8 * (len(digit) - 4))
    across, down = scale * solid.shape[1] / 2, scale * solid.shape[0] / 2
    reach = int(np.hypot(across, down) + abs(shear) * down) + 2
    turn = np.deg2rad(angle)
    matrix = scale * np.array(
        [
            [np.cos(turn), np.sin(turn) - shear * np.cos(turn)],
            [-np.sin(turn), np.cos(turn) + shear * np.sin(turn)],
        ]
    )
    middle = np.array(solid.shape[::-1]) / 2
    offset = reach - matrix @ middle
    sub = 4 if scale < 0.5 else 1  # draw finer than needed, then average, against aliasing
    drawn = cv2.warpAffine(
        solid.astype(np.float32),
        np.hstack([sub * matrix, sub * offset[:, None]]),
        (2 * reach * sub, 2 * reach * sub),
        flags=cv2.INTER_LINEAR,
    )
    drawn = cv2.resize(drawn, (2 * reach, 2 * reach), interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero((drawn > 0.02).any(1))[0], np.nonzero((drawn > 0.02).any(0))[0]
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _with_pen(solid, pen):
    """Change the stroke width of a binary mask by the factor `pen`."""
    inner = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    ridge = inner[(inner >= cv2.dilate(inner, np.ones((3, 3)))) & (inner > 1)]
    change = (pen - 1) * float(np.median(ridge))
    if change < 0:
        return (inner > -change).astype(np.uint8)
    return (cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5) <= change).astype(np.uint8)


def page(
    mask,
    rng,
    paper=(235, 235, 235),
    ink=(40, 40, 40),
    ramp=0.0,
    shadow=0.0,
    vignette=0.0,
    noise=0.0,
    texture=0.0,
    ruled=None,
    quality=None,
    blur=0.0,
):
    """Return a photograph, uint8 [height, width, 3], of the ink `mask` (height, width), 0..1.

    `paper`, `ink`: RGB colors. `ramp`, `shadow`, `vignette`: share of the light lost at the
    far end, behind an edge, in the corners. `noise`: gray levels rms of a camera's noise;
    `texture`: of the paper's. `ruled`: None, or (step in pixels, width, RGB, squared).
    `quality`: of JPEG. `blur`: sigma in pixels.
    """
    height, width = mask.shape
    color = np.ones((height, width, 3), np.float32) * np.float32(paper)
    if ruled:
        _rule(color, rng, *ruled)
    color += mask[..., None] * (np.float32(ink) - color)
    if texture:
        fibre = cv2.GaussianBlur(rng.normal(size=mask.shape).astype(np.float32), (0, 0), 1.5)
        color += (fibre / fibre.std() * texture)[..., None]
    color *= _light(height, width, rng, ramp, shadow, vignette)[..., None]
    if blur:
        color = cv2.GaussianBlur(color, (0, 0), blur)
    if noise:
        color += rng.normal(0, noise, (height, width, 1)).astype(np.float32)
        color += rng.normal(0, noise / 2, color.shape).astype(np.float32)
    pixels = np.clip(np.rint(color), 0, 255).astype(np.uint8)
    if quality:
        coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(pixels)


def _light(height, width, rng, ramp, shadow, vignette):
    """Return the share of the light that falls on each pixel."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    light = 1 - ramp * (along / 1.42 + 1) / 2
    light *= 1 - vignette * (x * x + y * y) / 2
    turn, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6)
    along = np.cos(turn) * x + np.sin(turn) * y
    return light * (1 - shadow / (1 + np.exp(-(along - where) / 0.04)))


def _rule(color, rng, step, thick, rgb, squared):
    """Draw ruled lines, up to 2 degrees off, into `color`."""
    height, width = color.shape[:2]
    tilt = np.tan(np.deg2rad(rng.uniform(-2, 2)))
    for y in range(rng.integers(step) - width // 20, height + width // 20, step):
        ends = (0, y), (width, int(y + tilt * width))
        cv2.line(color, *ends, rgb, thick, cv2.LINE_AA)
    for x in (
        range(rng.integers(step) - height // 20, width + height // 20, step) if squared else ()
    ):
        ends = (x, 0), (int(x - tilt * height), height)
        cv2.line(color, *ends, rgb, thick, cv2.LINE_AA)


def single(image, rng, height, margin, angle, pen, **conditions):
    """Return a page with one digit; `margin` is the range of free space, in digit heights."""
    mask = stroke_mask(image, height, rng, angle, 0.0, pen)
    left, top, right, bottom = (int(rng.uniform(*margin) * height) for _ in range(4))
    mask = cv2.copyMakeBorder(mask, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return page(mask, rng, **conditions)


def lines(rows, rng, height, gap, slant, **style):
    """Return rows of digits as one mask, 0..1; `rows` holds a list of MNIST images for each row.

    `gap` between digits is a range in digit heights, `slant` of a row is in degrees. `style` is
    passed to `stroke_mask`, with the angle as a maximum.
    """
    strips = [_line(row, rng, height, gap, **style) for row in rows]
    width = max(s.shape[1] for s in strips)
    space, pad = int(0.5 * height), int(0.7 * height)
    strips = [
        cv2.copyMakeBorder(s, space, 0, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips
    ]
    mask = cv2.copyMakeBorder(np.vstack(strips), pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    h, w = mask.shape
    extra = int(abs(np.tan(np.deg2rad(slant))) * w / 2) + 1
    mask = cv2.copyMakeBorder(mask, extra, extra, 0, 0, cv2.BORDER_CONSTANT)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2 + extra), slant, 1)
    return cv2.warpAffine(mask, turn, (w, h + 2 * extra))


def _line(row, rng, height, gap, angle, shear, pen):
    """Return a row of digits that differ in height, distance from the baseline and angle."""
    masks = [
        stroke_mask(
            i, int(height * rng.uniform(0.88, 1.12)), rng, rng.uniform(-angle, angle), shear, pen
        )
        for i in row
    ]
    tall, reach = max(len(m) for m in masks), int(0.1 * height)
    width = sum(m.shape[1] for m in masks) + int(len(row) * height * gap[1]) + height
    strip = np.zeros((tall + 2 * reach, width), np.float32)
    x = 0
    for mask in masks:
        y = int((tall - len(mask)) / 2 + reach + rng.uniform(-reach, reach))
        window = strip[y : y + len(mask), x : x + mask.shape[1]]
        np.maximum(window, mask, out=window)
        x += mask.shape[1] + int(rng.uniform(*gap) * height)
    return strip[:, : np.nonzero(strip.any(0))[0][-1] + 1]
