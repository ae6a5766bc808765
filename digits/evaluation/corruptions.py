"""Fifteen ways to spoil test pictures that leave the digit readable for people.

They are the fifteen of Mu & Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision"
(2019, arXiv 1906.02337), written anew from what the paper says that each one is, at one
severity each. The severities below are our own, chosen by eye: scores are comparable
between models of this project, not with published ones on MNIST-C's files.

Each corruption draws its random numbers in one call, picture after picture. So what
happens to a picture depends on its place among the others, never on what follows it.
"""

import math
import zlib
from collections.abc import Callable

import numpy as np
from scipy import fft, ndimage, signal

from digits.evaluation.image_operations import (
    ByteImages,
    blur,
    draw_white,
    neighbors,
    random_inverse,
    random_line,
    sobel,
    to_uint8,
    to_unit_range,
    warp,
)

CHUNK = 500  # pictures at a time: what is worked on fits the processor's cache

PHOTONS = 4  # expected per white pixel
IMPULSES = 0.2  # share of pixels that turn black or white
GLASS_SIGMA, GLASS_REACH = 0.7, 1  # pixels
MOTION = 6.0  # pixels: how far the picture moves while it is taken
SHEAR = 0.5  # pixels sideways per pixel down
SCALE = 0.6  # size of the digit, as a share of what it was
ANGLE = 30.0  # degrees
BRIGHTNESS = 0.4  # share of white that every pixel gains
SHIFT = 3  # pixels, on both axes
STRIPE = 8  # pixels wide
FOG = 1.2  # the thickest fog's light, as a multiple of white
SPLASH_SIGMA, SPLASH_SHARE, SPLASH_LIGHT = 1.5, 0.15, 0.6  # pixels, of the area, of white
DOT_STEP, DOT_RADIUS = 4.0, 1.0  # pixels
ZIGZAG_STEP, ZIGZAG_HEIGHT, ZIGZAG_RADIUS = 8.0, 3.0, 0.6  # pixels
CANNY_SIGMA, CANNY_LOW, CANNY_HIGH = 1.0, 0.1, 0.2  # pixels; steps of white per pixel
Corruption = Callable[[ByteImages, np.random.Generator], ByteImages]


def corrupt(images: ByteImages, name: str, seed: int) -> ByteImages:
    """`images` (n, side, side) uint8, 0 is background, spoilt by the corruption `name`.

    The result follows from the arguments alone, whatever ran before; the first k of n
    pictures come out as they would alone.
    """
    result = np.empty_like(images)
    for start in range(0, len(images), CHUNK):
        generator = np.random.default_rng([seed, zlib.crc32(name.encode()), start])
        part = slice(start, start + CHUNK)
        result[part] = CORRUPTIONS[name](images[part], generator)
    return result


def shot_noise(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Too little light: each pixel counts a Poisson number of photons, up to white."""
    return to_uint8(generator.poisson(to_unit_range(images) * PHOTONS) / PHOTONS)


def impulse_noise(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Salt and pepper: some pixels are stuck at white, as many at black."""
    chance = generator.random(images.shape, dtype=np.float32)
    salted = np.where(chance < IMPULSES / 2, np.uint8(255), images)
    return np.where(chance > 1 - IMPULSES / 2, np.uint8(0), salted)


def glass_blur(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Frosted glass: each pixel shows some place nearby, between two slight blurs."""
    jumps = generator.integers(
        -GLASS_REACH, GLASS_REACH, (len(images), 2, *images.shape[1:]), np.int8, endpoint=True
    )
    shown = neighbors(blur(to_unit_range(images), GLASS_SIGMA), jumps[:, 0], jumps[:, 1])
    return to_uint8(blur(shown, GLASS_SIGMA))


def motion_blur(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """The mean over a straight movement, in a direction of its own for each picture."""
    angle = generator.random((len(images), 1, 1)) * math.pi
    reach = math.ceil(MOTION / 2)
    steps = np.linspace(-MOTION / 2, MOTION / 2, 4 * reach + 1)[:, None]  # half a pixel or less
    ticks = np.arange(-reach, reach + 1)
    down = np.clip(1 - np.abs(ticks - steps * np.sin(angle)), 0, 1)  # (n, steps, ticks)
    right = np.clip(1 - np.abs(ticks - steps * np.cos(angle)), 0, 1)
    paths = (down.transpose(0, 2, 1) @ right) / len(steps)
    return to_uint8(signal.fftconvolve(to_unit_range(images), paths, "same", axes=(1, 2)))


def shear(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Slanted, to the left or to the right."""
    return warp(
        images, random_inverse(np.array([[1.0, 0.0], [SHEAR, 1.0]]), len(images), generator)
    )


def scale(images: ByteImages, _: np.random.Generator) -> ByteImages:
    """Smaller, in the middle."""
    return warp(images, np.tile(np.eye(2) / SCALE, (len(images), 1, 1)))


def rotate(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Turned about the middle, one way or the other."""
    sin, cos = math.sin(math.radians(ANGLE)), math.cos(math.radians(ANGLE))
    return warp(images, random_inverse(np.array([[cos, -sin], [sin, cos]]), len(images), generator))


def brightness(images: ByteImages, _: np.random.Generator) -> ByteImages:
    """Everything lighter, the background too."""
    return to_uint8(to_unit_range(images) + BRIGHTNESS)


def translate(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Moved along a diagonal, towards one of the four corners."""
    side = images.shape[-1]
    around = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    places = np.lib.stride_tricks.sliding_window_view(around, (side, side), (1, 2))
    y, x = generator.integers(2, size=(len(images), 2)).T * 2 * SHIFT
    return places[np.arange(len(images)), y, x]


def stripe(images: ByteImages, _: np.random.Generator) -> ByteImages:
    """Black and white change places in an upright stripe through the middle."""
    result, left = images.copy(), (images.shape[-1] - STRIPE) // 2
    result[:, :, left : left + STRIPE] = 255 - result[:, :, left : left + STRIPE]
    return result


def fog(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Light from drifting haze, as a fractal; then exposed so that white stays white.

    In place of the usual midpoint displacement stands noise whose amplitude falls with
    the square of the frequency, which looks the same and has no grid.
    """
    side = images.shape[-1]
    wide = 2 * side  # of a field that wraps around, no two borders may meet in the picture
    noise = generator.standard_normal((len(images), wide, wide), dtype=np.float32)
    frequency = np.hypot(fft.fftfreq(wide)[:, None], fft.rfftfreq(wide))
    frequency[0, 0] = np.inf  # a field without mean
    haze = fft.irfft2(fft.rfft2(noise) / frequency.astype(np.float32) ** 2)[:, :side, :side]
    low, high = haze.min((1, 2), keepdims=True), haze.max((1, 2), keepdims=True)
    return to_uint8((to_unit_range(images) + FOG * (haze - low) / (high - low)) / (1 + FOG))


def spatter(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """Splashes of grey on the lens: where smoothed noise is high, with soft rims."""
    noise = generator.standard_normal(images.shape, dtype=np.float32)
    height = blur(noise, SPLASH_SIGMA, mode="wrap")
    level = np.quantile(height, 1 - SPLASH_SHARE, axis=(1, 2), keepdims=True)
    cover = np.clip((height - level) / height.std((1, 2), keepdims=True) * 4, 0, 1)
    return to_uint8(to_unit_range(images) * (1 - cover) + SPLASH_LIGHT * cover)


def dotted_line(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """A white dotted line over the digit, in any direction."""
    along, across = random_line(images, generator)
    to_dot = np.mod(along, DOT_STEP) - DOT_STEP / 2
    return draw_white(images, np.hypot(to_dot, across) - DOT_RADIUS)


def zigzag(images: ByteImages, generator: np.random.Generator) -> ByteImages:
    """A white zigzag over the digit, in any direction."""
    along, across = random_line(images, generator)
    wave = np.abs(np.mod(along / ZIGZAG_STEP, 1) * 4 - 2) - 1  # a triangle from -1 to 1
    slope = 4 * ZIGZAG_HEIGHT / ZIGZAG_STEP
    distance = np.abs(across - ZIGZAG_HEIGHT * wave) / math.hypot(1, slope)
    return draw_white(images, distance - ZIGZAG_RADIUS)


def canny_edges(images: ByteImages, _: np.random.Generator) -> ByteImages:
    """Only the outlines, one pixel wide: Canny, A Computational Approach to Edge Detection, 1986.

    Kept are ridges of the gradient that are above the low threshold and hang together
    with a place above the high one.
    """
    smooth = blur(to_unit_range(images), CANNY_SIGMA)
    down, right = sobel(smooth, 1, 2), sobel(smooth, 2, 1)
    steep = np.hypot(down, right)
    octant = np.rint(np.arctan2(down, right) / (math.pi / 4)) * (math.pi / 4)
    y, x = np.rint(np.sin(octant)).astype(int), np.rint(np.cos(octant)).astype(int)
    # Strictly above one of the two: of a ridge two pixels wide, one is kept.
    ridge = (steep >= neighbors(steep, y, x)) & (steep > neighbors(steep, -y, -x))
    ridge &= steep > CANNY_LOW
    together = np.zeros((3, 3, 3), bool)
    together[1] = True  # diagonals hang together, pictures do not
    edges, count = ndimage.label(ridge, together)
    kept = np.zeros(count + 1, bool)
    kept[edges[ridge & (steep > CANNY_HIGH)]] = True
    return np.where(kept[edges], np.uint8(255), np.uint8(0))


CORRUPTIONS: dict[str, Corruption] = {
    function.__name__: function
    for function in (
        shot_noise,
        impulse_noise,
        glass_blur,
        motion_blur,
        shear,
        scale,
        rotate,
        brightness,
        translate,
        stripe,
        fog,
        spatter,
        dotted_line,
        zigzag,
        canny_edges,
    )
}
