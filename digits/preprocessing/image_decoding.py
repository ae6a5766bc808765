"""Bytes of a picture file, as anybody may send them -> upright RGB pixels.

Only what the bytes say counts, never a file's extension. Untrusted input: the size is
checked in the header, before anything is decoded.
"""

import io
import warnings
from dataclasses import dataclass
from importlib import import_module

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from digits.project.errors import UserError

MAX_PIXELS = 100_000_000  # width times height; a header that promises more is refused
WORKING_PIXELS = 2_000_000  # larger pictures are halved until they have at most this many
FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)  # of pixels that are not 8 bits deep

# What a file of each format begins with; naming the format spares Pillow loading all others.
_FORMATS = {
    b"\x89PNG": ("PNG", "Png"),
    b"\xff\xd8": ("JPEG", "Jpeg"),
    b"RIFF": ("WEBP", "WebP"),
    b"BM": ("BMP", "Bmp"),
    b"GIF8": ("GIF", "Gif"),
    b"II": ("TIFF", "Tiff"),
    b"MM": ("TIFF", "Tiff"),
}


@dataclass(frozen=True)
class DecodedImage:
    """A decoded picture.

    `pixels` uint8 [height, width, 3] is RGB and upright; a large picture is reduced.
    `size` is the (width, height) of the upright picture before that, in pixels.
    `notes` say what a person may want to know, one clause each.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def decode_image(data: bytes, name: str, largest: int = MAX_PIXELS) -> DecodedImage:
    """The picture in `data`; `name` begins the message when there is none.

    Raises UserError, one line: no bytes, no picture, damaged, more than `largest` pixels.
    """
    image = _open_image(data, name)
    if image.width * image.height > largest:
        found = f"{image.width} x {image.height} pixels"
        raise UserError(f"{name}: {found}, at most {largest:,} are taken; shrink or crop it")
    try:
        notes = _notes(image)
        factor = _reduction_factor(image.width * image.height)
        full = (image.width, image.height)
        image.draft("RGB", (image.width // factor, image.height // factor))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        size = full if (image.width > image.height) == (full[0] > full[1]) else full[::-1]
        if image.mode in ("L", "RGB") and not image.has_transparency_data:
            # here it takes 8 ms of 12 megapixels, after they became an array 65 ms
            image = image.reduce(_reduction_factor(image.width * image.height))
        pixels = _reduce(_to_rgb(image))
    except Exception as error:  # Pillow's decoders raise whatever the bytes provoke
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(f"{name}: a damaged {image.format} picture ({reason})") from error
    return DecodedImage(pixels, size, notes)


def _reduction_factor(pixels: int) -> int:
    factor = 1
    while pixels / factor**2 > WORKING_PIXELS:
        factor *= 2
    return factor


def _open_image(data: bytes, name: str) -> Image.Image:
    if not data:
        raise UserError(f"{name}: an empty file; a picture was expected")
    for start, (kind, plugin) in _FORMATS.items():
        if data.startswith(start):
            import_module(f"PIL.{plugin}ImagePlugin")
            warnings.filterwarnings("ignore", module=r"PIL\.")  # on damage: what is read, or not
            try:
                return Image.open(io.BytesIO(data), formats=[kind])
            except Image.DecompressionBombError as error:
                raise UserError(f"{name}: more than {MAX_PIXELS:,} pixels; shrink it") from error
            except Exception as error:
                raise UserError(f"{name}: a damaged {kind} picture") from error
    raise UserError(f"{name}: no picture; PNG, JPEG, WebP, BMP, GIF or TIFF was expected")


def _notes(image: Image.Image) -> tuple[str, ...]:
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":
        return ()
    return (f"animated: the first of {frames} frames is used",)


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """`image` in three colours of 8 bits."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        scale = next((s for s in FULL_SCALES if s >= values.max()), values.max())
        grey = np.clip(values / scale * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        return _flatten_transparency(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _reduce(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`pixels` as small as a JPEG file's are when they come from the decoder."""
    height, width = pixels.shape[:2]
    factor = _reduction_factor(width * height)
    if factor == 1:
        return pixels
    size = (max(1, width // factor), max(1, height // factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _flatten_transparency(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colours, alpha = rgba[..., :3], rgba[..., 3:] / np.float32(255)
    if alpha.min() == 1:
        return np.ascontiguousarray(colours)
    mean = (colours * alpha).sum() / max(3 * alpha.sum(), 1)
    under = 0 if mean > 127 else 255
    return np.asarray(np.rint(colours * alpha + under * (1 - alpha)), np.uint8)
