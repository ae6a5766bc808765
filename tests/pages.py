"""Pages that people might photograph, scan or draw, with MNIST digits written on them.

Made with numpy and OpenCV from a seed alone. Each step is what really happens to a picture:
a pen draws strokes of a colour on a paper of a colour, lamps light it, a camera adds noise,
a file format compresses it.
"""

import cv2
import numpy as np


def stroke_mask(image, height, rng, angle=0.0, shear=0.0, pen=1.0):
    """The strokes of an MNIST picture, float32 0..1, `height` pixels tall before turning.

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
    sub = 4 if scale < 0.5 else 1  # draw finer than needed, then average: no aliasing
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
    """`mask` (height, width), 0..1, as a picture uint8 [height, width, 3].

    `paper`, `ink`: RGB colours. `ramp`, `shadow`, `vignette`: share of the light lost at the
    far end, behind an edge, in the corners. `noise`: grey levels rms of a camera's noise;
    `texture`: of the paper's. `ruled`: None, or (step in pixels, width, RGB, squared).
    `quality`: of JPEG. `blur`: sigma in pixels.
    """
    height, width = mask.shape
    colour = np.ones((height, width, 3), np.float32) * np.float32(paper)
    if ruled:
        _rule(colour, rng, *ruled)
    colour += mask[..., None] * (np.float32(ink) - colour)
    if texture:
        fibre = cv2.GaussianBlur(rng.normal(size=mask.shape).astype(np.float32), (0, 0), 1.5)
        colour += (fibre / fibre.std() * texture)[..., None]
    colour *= _light(height, width, rng, ramp, shadow, vignette)[..., None]
    if blur:
        colour = cv2.GaussianBlur(colour, (0, 0), blur)
    if noise:
        colour += rng.normal(0, noise, (height, width, 1)).astype(np.float32)
        colour += rng.normal(0, noise / 2, colour.shape).astype(np.float32)
    pixels = np.clip(np.rint(colour), 0, 255).astype(np.uint8)
    if quality:
        coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(pixels)


def _light(height, width, rng, ramp, shadow, vignette):
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    light = 1 - ramp * (along / 1.42 + 1) / 2
    light *= 1 - vignette * (x * x + y * y) / 2
    turn, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6)
    along = np.cos(turn) * x + np.sin(turn) * y
    return light * (1 - shadow / (1 + np.exp(-(along - where) / 0.04)))


def _rule(colour, rng, step, thick, rgb, squared):
    """Draw ruled lines, up to 2 degrees off, into `colour`."""
    height, width = colour.shape[:2]
    tilt = np.tan(np.deg2rad(rng.uniform(-2, 2)))
    for y in range(rng.integers(step) - width // 20, height + width // 20, step):
        ends = (0, y), (width, int(y + tilt * width))
        cv2.line(colour, *ends, rgb, thick, cv2.LINE_AA)
    for x in (
        range(rng.integers(step) - height // 20, width + height // 20, step) if squared else ()
    ):
        ends = (x, 0), (int(x - tilt * height), height)
        cv2.line(colour, *ends, rgb, thick, cv2.LINE_AA)


def single(image, rng, height, margin, angle, pen, **conditions):
    """One digit on a page: `margin` is the least and most free space, in digit heights."""
    mask = stroke_mask(image, height, rng, angle, 0.0, pen)
    left, top, right, bottom = (int(rng.uniform(*margin) * height) for _ in range(4))
    mask = cv2.copyMakeBorder(mask, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return page(mask, rng, **conditions)


def lines(rows, rng, height, gap, slant, **style):
    """Digits in rows as one mask, 0..1: `rows` holds a list of MNIST pictures for each row.

    `gap` between digits is in digit heights, `slant` of a row in degrees; `style` is that of
    `stroke_mask`, its angle at most.
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
    """A row whose digits differ in height, stand off the baseline and lean."""
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
