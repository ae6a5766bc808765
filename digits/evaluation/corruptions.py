"""Fifteen corruptions of test images that leave them readable for people.

They are the corruptions of Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer
Vision" (arXiv 1906.02337), written anew from the paper, at one severity each. The severities
below are this project's own, chosen by eye. So scores can be compared between models of this
project, not with published ones on the files of MNIST-C. Lengths are in pixels of an image of
28 x 28, and in proportion for other sizes. Noise is of single pixels at every size.

Each corruption draws its random numbers in one call, image after image. So the result for an
image depends on its position in the stack, never on the images behind it.
"""

import math
import zlib

import numpy as np
from numpy.random import Generator
from scipy import fft, ndimage, signal

from digits.evaluation import image_operations as ops
from digits.evaluation.image_operations import ByteImages, blur, to_uint8, to_unit_range

CHUNK = (
    500  # images of MNIST's size at a time, so that intermediate arrays fit the processor's cache
)

SIDE = 28  # pixels, of the images that the lengths below are for
PHOTONS = 4  # expected per white pixel
IMPULSES = 0.2  # share of pixels that turn black or white
GLASS_SIGMA, GLASS_REACH = 0.7, 1  # pixels
MOTION = 6.0  # pixels: length of the path during the exposure
SHEAR = 0.5  # pixels sideways per pixel down
SCALE = 0.6  # size of what is on the image, as a share of the original
ANGLE = 30.0  # degrees
BRIGHTNESS = 0.4  # share of white that every pixel gains
SHIFT = 3  # pixels, on both axes
STRIPE = 8  # pixels wide
FOG = 1.2  # light of the thickest fog, as a multiple of white
SPLASH_SIGMA, SPLASH_SHARE, SPLASH_LIGHT = 1.5, 0.15, 0.6  # pixels, share of area, of white
DOT_STEP, DOT_RADIUS = 4.0, 1.0  # pixels
ZIGZAG = 8.0, 3.0, 0.6  # pixels: step, height, half the width of the line
CANNY_SIGMA, CANNY_LOW, CANNY_HIGH = 1.0, 0.1, 0.2  # pixels; steps of white per pixel


def corrupt(images: ByteImages, name: str, seed: int) -> ByteImages:
    """Apply the corruption `name` to `images` (n, side, side[, 3]) uint8.

    The result follows from the arguments alone. The first k of n images come out as they
    would without the others. All channels of an image are changed alike.
    """
    if images.ndim == 4:
        channels = (corrupt(channel, name, seed) for channel in np.moveaxis(images, 3, 0))
        return np.stack(list(channels), axis=3)
    result = np.empty_like(images)
    chunk = max(1, CHUNK * 784 // max(784, images[:1].size))
    for start in range(0, len(images), chunk):
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), start])
        part = slice(start, start + chunk)
        result[part] = CORRUPTIONS[name](images[part], rng)
    return result


def _factor(images: ByteImages) -> float:
    """Return the factor of all lengths in `images`, 1 for those of SIDE pixels."""
    return images.shape[-1] / SIDE


def shot_noise(images: ByteImages, rng: Generator) -> ByteImages:
    """Simulate too little light: each pixel counts a Poisson number of photons, up to white."""
    return to_uint8(rng.poisson(to_unit_range(images) * PHOTONS) / PHOTONS)


def impulse_noise(images: ByteImages, rng: Generator) -> ByteImages:
    """Turn random pixels white, and as many black: salt and pepper."""
    chance = rng.random(images.shape, dtype=np.float32)
    salted = np.where(chance < IMPULSES / 2, np.uint8(255), images)
    return np.where(chance > 1 - IMPULSES / 2, np.uint8(0), salted)


def glass_blur(images: ByteImages, rng: Generator) -> ByteImages:
    """Simulate frosted glass: each pixel shows one nearby, between two slight blurs."""
    shape = (len(images), 2, *images.shape[1:])
    sigma, reach = GLASS_SIGMA * _factor(images), max(1, round(GLASS_REACH * _factor(images)))
    jumps = rng.integers(-reach, reach, shape, np.int8, endpoint=True)
    smooth = blur(to_unit_range(images), sigma)
    return to_uint8(blur(ops.neighbors(smooth, jumps[:, 0], jumps[:, 1]), sigma))


def motion_blur(images: ByteImages, rng: Generator) -> ByteImages:
    """Average each image over a straight movement in a random direction."""
    angle = rng.random((len(images), 1, 1)) * math.pi
    half = MOTION * _factor(images) / 2
    reach = math.ceil(half)
    steps = np.linspace(-half, half, 4 * reach + 1)[:, None]  # half a pixel or less
    ticks = np.arange(-reach, reach + 1)
    down = np.clip(1 - np.abs(ticks - steps * np.sin(angle)), 0, 1)  # (n, steps, ticks)
    right = np.clip(1 - np.abs(ticks - steps * np.cos(angle)), 0, 1)
    paths = (down.transpose(0, 2, 1) @ right) / len(steps)
    return to_uint8(signal.fftconvolve(to_unit_range(images), paths, "same", axes=(1, 2)))


def shear(images: ByteImages, rng: Generator) -> ByteImages:
    """Slant each image, to the left or to the right."""
    return ops.warp_randomly(images, np.array([[1.0, 0.0], [SHEAR, 1.0]]), rng)


def scale(images: ByteImages, _: Generator) -> ByteImages:
    """Shrink each image about its center."""
    return ops.warp(images, np.tile(np.eye(2) / SCALE, (len(images), 1, 1)))


def rotate(images: ByteImages, rng: Generator) -> ByteImages:
    """Rotate each image about its center, clockwise or counterclockwise."""
    sin, cos = math.sin(math.radians(ANGLE)), math.cos(math.radians(ANGLE))
    return ops.warp_randomly(images, np.array([[cos, -sin], [sin, cos]]), rng)


def brightness(images: ByteImages, _: Generator) -> ByteImages:
    """Make every pixel lighter, the background too."""
    return to_uint8(to_unit_range(images) + BRIGHTNESS)


def translate(images: ByteImages, rng: Generator) -> ByteImages:
    """Move each image along a diagonal, towards one of the four corners."""
    side, shift = images.shape[-1], round(SHIFT * _factor(images))
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    y, x = rng.integers(2, size=(len(images), 2)).T * 2 * shift
    return windows[np.arange(len(images)), y, x]


def stripe(images: ByteImages, _: Generator) -> ByteImages:
    """Swap black and white in an upright stripe through the center."""
    result, width = images.copy(), round(STRIPE * _factor(images))
    left = (images.shape[-1] - width) // 2
    result[:, :, left : left + width] = 255 - result[:, :, left : left + width]
    return result


def fog(images: ByteImages, rng: Generator) -> ByteImages:
    """Add light from drifting haze, a fractal; then scale so that white stays white.

    The paper makes its fractal by midpoint displacement. Here it is noise whose amplitude
    falls with the square of the frequency: the result looks alike and has no grid.
    """
    side = images.shape[-1]
    wide = 2 * side  # the field wraps around, so an image must not contain both of its borders
    noise = rng.standard_normal((len(images), wide, wide), dtype=np.float32)
    frequency = np.hypot(fft.fftfreq(wide)[:, None], fft.rfftfreq(wide))
    frequency[0, 0] = np.inf  # a field without mean
    haze = fft.irfft2(fft.rfft2(noise) / frequency.astype(np.float32) ** 2)[:, :side, :side]
    low, high = haze.min((1, 2), keepdims=True), haze.max((1, 2), keepdims=True)
    return to_uint8((to_unit_range(images) + FOG * (haze - low) / (high - low)) / (1 + FOG))


def spatter(images: ByteImages, rng: Generator) -> ByteImages:
    """Splash gray on the lens: where smoothed noise is high, with soft edges."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    height = blur(noise, SPLASH_SIGMA * _factor(images), mode="wrap")
    level = np.quantile(height, 1 - SPLASH_SHARE, axis=(1, 2), keepdims=True)
    cover = np.clip((height - level) / height.std((1, 2), keepdims=True) * 4, 0, 1)
    return to_uint8(to_unit_range(images) * (1 - cover) + SPLASH_LIGHT * cover)


def dotted_line(images: ByteImages, rng: Generator) -> ByteImages:
    """Draw a white dotted line over the image, in any direction."""
    along, across = ops.random_line(images, rng)
    step, radius = DOT_STEP * _factor(images), DOT_RADIUS * _factor(images)
    to_dot = np.mod(along, step) - step / 2
    return ops.draw_white(images, np.hypot(to_dot, across) - radius)


def zigzag(images: ByteImages, rng: Generator) -> ByteImages:
    """Draw a white zigzag over the image, in any direction."""
    along, across = ops.random_line(images, rng)
    step, height, radius = (length * _factor(images) for length in ZIGZAG)
    wave = np.abs(np.mod(along / step, 1) * 4 - 2) - 1  # a triangle from -1 to 1
    distance = np.abs(across - height * wave) / math.hypot(1, 4 * height / step)
    return ops.draw_white(images, distance - radius)


def canny_edges(images: ByteImages, _: Generator) -> ByteImages:
    """Reduce each image to its outlines, one pixel wide.

    Canny 1986 ("A computational approach to edge detection"): an edge is a ridge of the
    gradient that is above the low threshold everywhere and above the high one somewhere.
    """
    smooth = blur(to_unit_range(images), CANNY_SIGMA * _factor(images))
    down, right = ops.sobel(smooth, 1, 2), ops.sobel(smooth, 2, 1)
    steep = np.hypot(down, right) * np.float32(_factor(images))
    octant = np.rint(np.arctan2(down, right) / (math.pi / 4)) * (math.pi / 4)
    y, x = np.rint(np.sin(octant)).astype(int), np.rint(np.cos(octant)).astype(int)
    # Strictly above one of the two neighbors, so that a ridge two pixels wide becomes one wide.
    ridge = (steep >= ops.neighbors(steep, y, x)) & (steep > ops.neighbors(steep, -y, -x))
    ridge &= steep > CANNY_LOW
    connectivity = np.zeros((3, 3, 3), bool)
    connectivity[1] = True  # diagonal neighbors are connected, images are not
    components, count = ndimage.label(ridge, connectivity)
    is_edge = np.zeros(count + 1, bool)
    is_edge[components[ridge & (steep > CANNY_HIGH)]] = True
    edges = np.where(is_edge[components], np.uint8(255), np.uint8(0))
    width = max(1, round(_factor(images)))
    return ndimage.grey_dilation(edges, (1, width, width)) if width > 1 else edges


# In the order of the paper, which is also that of the rows of metrics/robustness.csv.
NOISE_AND_BLUR = (shot_noise, impulse_noise, glass_blur, motion_blur)
TRANSFORMS = (shear, scale, rotate, brightness, translate)
OVERLAYS = (stripe, fog, spatter, dotted_line, zigzag)
CORRUPTIONS = {f.__name__: f for f in (*NOISE_AND_BLUR, *TRANSFORMS, *OVERLAYS, canny_edges)}
