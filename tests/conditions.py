"""Random conditions under which an image of digits is made: pens, colors, light, file formats.

They are moderate: a person recognises the digits at once.
"""

import numpy as np
from PIL import Image

from tests import pages, strokes

KINDS = ("PNG", "JPEG", "RGBA", "gray", "palette")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue


def photograph(image, rng, max_height=400):
    """Return an image file with the MNIST image `image` on a page, as bytes.

    The digit is 40 to `max_height` pixels tall, turned by up to 10 degrees, with thinner or
    thicker strokes, of any color on any other, anywhere on the page, in uneven light.
    """
    height = int(np.exp(rng.uniform(np.log(40), np.log(max_height))))
    paper, ink = colors(rng)
    pixels = pages.single(
        image,
        rng,
        height,
        margin=(0.0, rng.choice([0.1, 0.5, 1.5, 2.5])),
        angle=rng.uniform(-10, 10),
        pen=float(np.exp(rng.uniform(np.log(0.6), np.log(1.25)))),
        paper=paper,
        ink=ink,
        blur=sometimes(rng, 0.02 * height),
        **light(rng),
    )
    return packed(pixels, rng)


def light(rng):
    """Draw light, noise and texture for `pages.page`."""
    bounds = {"ramp": 0.5, "shadow": 0.3, "vignette": 0.3, "noise": 6.0, "texture": 3.0}
    return {name: sometimes(rng, bound) for name, bound in bounds.items()}


def sometimes(rng, bound):
    """Return 0 in half of the cases, else a number up to `bound`."""
    return rng.uniform(0, bound) if rng.random() < 0.5 else 0.0


def colors(rng):
    """Return RGB of paper and of ink that is clearly lighter or darker."""
    while True:
        paper, ink = rng.uniform(0, 255, (2, 3))
        paper = paper.mean() + 0.3 * (paper - paper.mean())
        contrast = LUMINANCE @ (paper - ink)
        # what light does to paper scales with its brightness, so dark paper hides ink sooner
        if abs(contrast) > 50 and (contrast < 0 or LUMINANCE @ paper > 110):
            return tuple(paper), tuple(ink)


def packed(pixels, rng):
    """Return pixels as the bytes of a file of one of KINDS."""
    image, kind = Image.fromarray(pixels), rng.choice(KINDS)
    if kind == "JPEG":
        return strokes.packed(image, "JPEG", quality=int(rng.uniform(35, 95)))
    if kind == "palette":
        image = image.quantize(64)
    modes = {"PNG": "RGB", "RGBA": "RGBA", "gray": "L", "palette": "P"}
    return strokes.packed(image.convert(modes[kind]), "PNG", compress_level=1)


def written(rows, rng):
    """Return an image file with rows of digits, as bytes; `rows` holds MNIST images for each.

    Gaps, heights and the baseline are uneven, rows slope and digits are sheared.
    """
    height = int(rng.uniform(40, 90))
    mask = pages.lines(
        rows,
        rng,
        height,
        gap=(0.15, rng.uniform(0.3, 1.2)),
        slant=rng.uniform(-4, 4),
        shear=rng.uniform(-0.2, 0.2),
        angle=5,
        pen=rng.uniform(0.7, 1.1),
    )
    paper, ink = colors(rng)
    return packed(pages.page(mask, rng, paper=paper, ink=ink, **light(rng)), rng)
