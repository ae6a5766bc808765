"""Plain PNG files have the pixels that Pillow gives them; all others are left to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from digits.preprocessing import plain_png
from digits.preprocessing.image_decoding import decode_image

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 41, 4), np.uint8)


def stored(image, **options):
    """The bytes of an image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_plain_files_have_the_pixels_of_pillow(mode):
    """Gray, color and transparent images, also with text in the file."""
    image, text = Image.fromarray(PIXELS).convert(mode), PngImagePlugin.PngInfo()
    text.add_text("Title", "ü")
    pixels = plain_png.decode(stored(image, pnginfo=text), 10_000)

    np.testing.assert_array_equal(pixels, np.asarray(image))
    assert decode_image(stored(image), "x").pixels.shape == (30, 41, 3)


def test_other_files_are_left_to_pillow():
    """Palettes, 16 bits, turned, transparent by one color, large, damaged and no PNG at all."""
    color = Image.fromarray(PIXELS).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [stored(color.quantize()), stored(color.convert("L").convert("I;16"))]
    others += [stored(color, exif=exif), stored(color, transparency=(1, 2, 3))]
    others += [stored(color)[:-20], stored(color)[20:], b"", b"\x89PNG\r\n\x1a\n" + bytes(50)]

    assert [plain_png.decode(data, 10_000) for data in others] == [None] * len(others)
    assert plain_png.decode(stored(color), 1000) is None


def test_avif_is_read():
    """A format with a head of its own."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS[..., :3]).save(buffer, "AVIF", quality=100)
    assert decode_image(buffer.getvalue(), "x.avif").pixels.shape == (30, 41, 3)
