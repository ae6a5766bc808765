"""Draw photographs of pages with MNIST digits on them, from a seed.

The steps are those of a real photograph: strokes of one color on paper of another, uneven
light, the noise of a camera, the compression of a file format. The conditions are moderate: a
person recognizes the digits at once.
"""

import cv2
import numpy as np
from PIL import Image

from tests.strokes import packed

RULE = (150, 170, 210)  # RGB of printed lines
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue


def stroke_mask(image, height, angle, shear, pen):
    """Return the strokes of an MNIST image, float32 0..1, `height` pixels tall before turning.

    `angle` in degrees, `shear` in pixels sideways per pixel up; `pen` scales the width of
    the strokes.
    """
    rows, columns = np.nonzero(image.any(1))[0], np.nonzero(image.any(0))[0]
    digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    digit = cv2.copyMakeBorder(digit, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    fine = cv2.resize(digit, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    solid = (cv2.GaussianBlur(fine, (0, 0), 3) > 115).astype(np.uint8)
    solid = _with_pen(solid, pen)
    scale = height / (8 * (len(digit) - 4))
    across, down = scale * solid.shape[1] / 2, scale * solid.shape[0] / 2
    reach = int(np.hypot(across, down) + abs(shear) * down) + 2
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = scale * np.array([[cos, sin - shear * cos], [-sin, cos + shear * sin]])
    middle = np.array(solid.shape[::-1]) / 2
    offset = reach - matrix @ middle
    sub = 4 if scale < 0.5 else 1  # draw finer than needed, then average, against aliasing
    affine = sub * np.hstack([matrix, offset[:, None]])
    drawn = cv2.warpAffine(solid.astype(np.float32), affine, (2 * reach * sub,) * 2)
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
    *,
    ramp=0.0,
    shadow=0.0,
    vignette=0.0,
    noise=0.0,
    texture=0.0,
    ruled=None,
    squared=False,
    blur=0.0,
):
    """Return a photograph, uint8 [height, width, 3], of the ink `mask` (height, width), 0..1.

    `paper`, `ink`: RGB colors. `ramp`, `shadow`, `vignette`: share of the light lost at the
    far end, behind an edge, in the corners. `noise`: gray levels rms of a camera's noise;
    `texture`: of the paper's. `ruled`: pixels between printed lines, if there are some; `squared`:
    in both directions. `blur`: sigma in pixels.
    """
    color = np.ones((*mask.shape, 3), np.float32) * np.float32(paper)
    if ruled:
        _rule(color, rng, ruled, squared)
    color += mask[..., None] * (np.float32(ink) - color)
    if texture:
        fibre = cv2.GaussianBlur(rng.standard_normal(mask.shape, np.float32), (0, 0), 1.5)
        color += (fibre / fibre.std() * texture)[..., None]
    color *= _light(*mask.shape, rng, ramp, shadow, vignette)[..., None]
    if blur:
        color = cv2.GaussianBlur(color, (0, 0), blur)
    for channels, share in ((1, 1.0), (3, 0.5)):
        color += share * noise * rng.standard_normal((*mask.shape, channels), np.float32)
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)


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


def _rule(color, rng, step, squared):
    """Draw ruled lines, up to 2 degrees off, into `color`."""
    height, width = color.shape[:2]
    tilt, long = np.tan(np.deg2rad(rng.uniform(-2, 2))), max(height, width)
    for at in range(rng.integers(step) - long // 20, long + long // 20, step):
        cv2.line(color, (0, at), (width, int(at + tilt * width)), RULE, 1, cv2.LINE_AA)
        if squared:
            cv2.line(color, (at, 0), (int(at - tilt * height), height), RULE, 1, cv2.LINE_AA)


def photograph(image, rng):
    """Return an image file with the MNIST image `image` on a page, as bytes.

    The digit is 40 to 200 pixels tall, turned by up to 10 degrees, with thinner or thicker
    strokes, of any color on any other, anywhere on the page, in uneven light.
    """
    height = int(np.exp(rng.uniform(np.log(40), np.log(200))))
    pen = float(np.exp(rng.uniform(np.log(0.6), np.log(1.25))))
    mask = stroke_mask(image, height, rng.uniform(-10, 10), 0.0, pen)
    free = height * rng.choice([0.1, 0.5, 1.5, 2.5])
    margins = (int(rng.uniform(0, free)) for _ in range(4))
    mask = cv2.copyMakeBorder(mask, *margins, cv2.BORDER_CONSTANT)
    return _taken(mask, rng, blur=_sometimes(rng, 0.02 * height))


def _taken(mask, rng, **conditions):
    """Return a photograph of ink in random light as the bytes of a JPEG file."""
    bounds = {"ramp": 0.5, "shadow": 0.3, "vignette": 0.3, "noise": 6.0, "texture": 3.0}
    conditions |= {name: _sometimes(rng, bound) for name, bound in bounds.items()}
    pixels = page(mask, rng, *_colors(rng), **conditions)
    return packed(Image.fromarray(pixels), "JPEG", quality=int(rng.uniform(35, 95)))


def _sometimes(rng, bound):
    """Return 0 in half of the cases, else a number up to `bound`."""
    return rng.uniform(0, bound) if rng.random() < 0.5 else 0.0


def _colors(rng):
    """Return RGB of paper and of ink that is clearly lighter or darker."""
    while True:
        paper, ink = rng.uniform(0, 255, (2, 3))
        paper = paper.mean() + 0.3 * (paper - paper.mean())
        contrast = LUMINANCE @ (paper - ink)
        # what light does to paper scales with its brightness, so dark paper hides ink sooner
        if abs(contrast) > 50 and (contrast < 0 or LUMINANCE @ paper > 110):
            return tuple(paper), tuple(ink)


def written(rows, rng):
    """Return an image file with rows of digits, as bytes; `rows` holds MNIST images for each.

    Gaps, heights and the baseline are uneven, rows slope and digits are sheared.
    """
    height = int(rng.uniform(40, 90))
    style = (0.15, rng.uniform(0.3, 1.2)), rng.uniform(-0.2, 0.2), rng.uniform(0.7, 1.1)
    strips = [_line(row, rng, height, *style) for row in rows]
    width = max(s.shape[1] for s in strips)
    space, pad = int(0.5 * height), int(0.7 * height)
    strips = [
        cv2.copyMakeBorder(s, space, 0, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips
    ]
    slope = rng.uniform(-4, 4)
    extra = int(abs(np.tan(np.deg2rad(slope))) * width / 2) + 1 + pad
    mask = cv2.copyMakeBorder(np.vstack(strips), extra, extra, pad, pad, cv2.BORDER_CONSTANT)
    turn = cv2.getRotationMatrix2D((mask.shape[1] / 2, mask.shape[0] / 2), slope, 1)
    return _taken(cv2.warpAffine(mask, turn, mask.shape[::-1]), rng)


def _line(row, rng, height, gap, shear, pen):
    """Return a row of digits that differ in height, distance from the baseline and angle.

    `gap` between digits is a range in digit heights.
    """
    masks = [
        stroke_mask(i, int(height * rng.uniform(0.88, 1.12)), rng.uniform(-5, 5), shear, pen)
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
