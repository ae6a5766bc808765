"""Decode the bytes of an image file, as anybody may send them, into upright RGB pixels.

The format is recognized by the first bytes, never by a file's extension. The input is
untrusted: the size in the header is checked before any pixel is decoded.
"""

import functools
import io
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from digits.preprocessing.arrays import ByteArray, FloatArray
from digits.project.errors import UserError

MAX_PIXELS = 100_000_000  # width times height; a header that promises more is refused
WORKING_PIXELS = 2_000_000  # larger images are halved until they have at most this many
SCAN, MAX_SCANNED = b"\xff\xda", 2_000_000_000  # pixels of a JPEG, times its scans
FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)  # largest values of pixels of other depths

# First bytes of each format, and Pillow's plug-in for it; others are not loaded.
_PLUGINS = {b"\x89PNG": "Png", b"\xff\xd8": "Jpeg", b"RIFF": "WebP", b"BM": "Bmp", b"GIF8": "Gif"}
_PLUGINS |= {b"II": "Tiff", b"MM": "Tiff", b"ftypavif": "Avif", b"ftypavis": "Avif"}


@dataclass(frozen=True)
class DecodedImage:
    """Pixels of an image file.

    `pixels` uint8 [height, width, 3] is RGB and upright; a large image is reduced.
    `size` is the (width, height) of the upright image before that, in pixels.
    `notes` are remarks for a person, one clause each.
    """

    pixels: ByteArray
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def decode_image(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode `data`; messages begin with `name`.

    Raises UserError, one line: no bytes, no image, damaged, more than `max_pixels`.
    """
    image = _open_image(data, name)
    full = width, height = image.size
    if width * height > max_pixels:
        size = f"{width} x {height} pixels"
        raise UserError(f"{name}: {size}, at most {max_pixels:,} are taken; shrink or crop it")
    if image.format in {"JPEG", "MPO"} and data.count(SCAN) * width * height > MAX_SCANNED:
        raise UserError(f"{name}: a JPEG of {data.count(SCAN):,} scans; save it anew")
    try:
        # counting the frames would read them all
        several = getattr(image, "is_animated", False) and image.format != "MPO"
        notes = ("of several frames the first is used",) if several else ()
        factor = _reduction_factor(width * height)
        image.draft("RGB", (width // factor, height // factor))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if (image.width > image.height) != (width > height):
            full = height, width
        if image.has_transparency_data:
            image = image.convert("RGBA")
        if image.mode in ("L", "RGB", "RGBA"):
            # before the pixels are copied into an array, so that fewer are copied
            image = image.reduce(_reduction_factor(image.width * image.height))
        pixels = _reduce(_to_rgb(image))
    except Exception as error:  # Pillow's decoders raise whatever the bytes provoke
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(f"{name}: a damaged {image.format} image ({reason})") from error
    return DecodedImage(pixels, full, notes)


def image_header(data: bytes, name: str) -> tuple[tuple[int, int], str]:
    """Return size (width, height) and Pillow's mode without decoding pixels.

    Raises UserError, one line: no bytes, no image, a damaged header.
    """
    image = _open_image(data, name)
    return image.size, image.mode


def _reduction_factor(pixels: int) -> int:
    """Return the power of two by which both sides of so many pixels are divided."""
    factor = 1
    while pixels / factor**2 > WORKING_PIXELS:
        factor *= 2
    return factor


def _open_image(data: bytes, name: str) -> Image.Image:
    """Read the header alone."""
    if not data:
        raise UserError(f"{name}: an empty file; an image was expected")
    for start, plugin in _PLUGINS.items():
        if data.startswith(start, 4 if plugin == "Avif" else 0):
            _load_plugin(plugin)
            try:
                return Image.open(io.BytesIO(data), formats=[plugin.upper()])
            except Image.DecompressionBombError as error:
                raise UserError(f"{name}: more than {MAX_PIXELS:,} pixels; shrink it") from error
            except Exception as error:
                raise UserError(f"{name}: a damaged {plugin.upper()} image") from error
    raise UserError(f"{name}: not an image; PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF was expected")


@functools.cache
def _load_plugin(plugin: str) -> None:
    Image._initialized = Image._initialized or 1  # else `open` loads five plug-ins: 15 ms
    import_module(f"PIL.{plugin}ImagePlugin")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damage raises, or is read over


def _to_rgb(image: Image.Image) -> ByteArray:
    """Convert any mode of Pillow to uint8 [height, width, 3]."""
    if image.mode.startswith(("I", "F")):
        gray = _scale_to_bytes(np.array(image, np.float32))
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode == "RGBA":
        return flatten_transparency(np.asarray(image))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _scale_to_bytes(values: FloatArray) -> ByteArray:
    """Scale numbers of any range to 0 to 255; one that is not finite becomes the mean of others.

    The range is from 0 to the next of FULL_SCALES; with negative values it is the real one.
    Large images are reduced. `values` is changed.
    """
    finite = np.isfinite(values)
    if not finite.all():
        values[~finite] = values.mean(where=finite, dtype=np.float64) if finite.any() else 0.0
    low, high = min(float(values.min()), 0.0), float(values.max())
    extent = high - low
    scale = next((s for s in FULL_SCALES if s >= extent and low == 0), extent or 1)
    # float64: no difference overflows
    shares = (_reduce(values).astype(np.float64) - low).astype(np.float32) / np.float32(scale)
    return np.clip(shares * 255, 0, 255).astype(np.uint8)


def _reduce(pixels: NDArray[Any]) -> NDArray[Any]:
    """Reduce `pixels` to the size that a JPEG of that size has after Pillow's `draft`."""
    height, width = pixels.shape[:2]
    factor = _reduction_factor(width * height)
    if factor == 1:
        return pixels
    size = (max(1, width // factor), max(1, height // factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def flatten_transparency(rgba: ByteArray) -> ByteArray:
    """Put RGBA pixels on white, or on black if what is opaque is light."""
    if rgba[..., 3].min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    planes = np.ascontiguousarray(rgba.transpose(2, 0, 1))  # five times faster than pixels
    alpha = planes[3] / np.float32(255)
    colors = planes[:3] * alpha
    if colors.sum() / max(3 * alpha.sum(), 1) <= 127:
        colors += 255 * (1 - alpha)
    return np.ascontiguousarray(np.rint(colors).astype(np.uint8).transpose(1, 2, 0))
