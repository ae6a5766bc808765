"""Bytes of picture files become upright RGB pixels, or one line that says why not."""

import time

import numpy as np
import pytest
from PIL import Image

from digits.preprocessing.image_decoding import MAX_PIXELS, decode_image
from digits.project.errors import UserError
from tests.cli.test_predict import png_header
from tests.strokes import packed

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG"])
def test_each_format_gives_the_same_pixels(kind):
    """Grey in three equal colours."""
    how = {"lossless": True} if kind == "WEBP" else {}
    found = decode_image(packed(Image.fromarray(GRADIENT), kind, **how), "x")

    assert found.size == (16, 16)
    off = np.abs(found.pixels.astype(int) - GRADIENT[..., None]).max()
    assert off <= (20 if kind == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_each_mode_is_light_where_it_was(mode):
    """Left black, right white, whatever the pixels are made of."""
    left_dark = np.zeros((10, 20), np.uint8)
    left_dark[:, 10:] = 255
    image = Image.fromarray(left_dark)
    if mode == "I;16":
        image = Image.fromarray(left_dark.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert(mode)
    pixels = decode_image(packed(image, "TIFF"), "x").pixels

    assert pixels[:, :10].max() < 20
    assert pixels[:, 10:].min() > 235


def test_sixteen_bits_keep_what_eight_would_lose():
    """Of 12 bits in 16, black stays black and white is white."""
    values = np.linspace(0, 4095, 200, dtype=np.uint16).reshape(10, 20)
    pixels = decode_image(packed(Image.fromarray(values), "PNG"), "x").pixels

    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize(("colour", "under"), [(0, 255), (255, 0)])
def test_what_is_transparent_contrasts_with_what_is_drawn(colour, under):
    """Black ink on nothing is on white, white ink on nothing is on black."""
    rgba = np.zeros((9, 9, 4), np.uint8)
    rgba[3:6, 3:6] = [colour, colour, colour, 255]
    pixels = decode_image(packed(Image.fromarray(rgba), "PNG"), "x").pixels

    assert (pixels[4, 4, 0], pixels[0, 0, 0]) == (colour, under)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_that_was_turned_gives_an_upright_picture(orientation):
    """All eight ways of EXIF; the size is the upright picture's."""
    upright = np.full((20, 40), 255, np.uint8)
    upright[:5, :10] = 0  # top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Image.Transpose
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(packed(stored, "PNG", exif=exif), "x")

    assert found.size == (40, 20)
    assert np.array_equal(found.pixels[..., 0], upright)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "L"), ("PNG", "RGBA"), ("BMP", "P")]
)
def test_a_large_picture_is_reduced_and_says_how_large_it_was(kind, mode):
    """12 megapixels, whatever they are made of: a fourth of each side, what was left is left."""
    pixels = np.full((3000, 4000), 255, np.uint8)
    pixels[:, :1000] = 0
    found = decode_image(packed(Image.fromarray(pixels).convert(mode), kind), "x")

    assert found.size == (4000, 3000)
    assert found.pixels.shape == (750, 1000, 3)
    assert found.pixels[:, :248].max() < 20
    assert found.pixels[:, 252:].min() > 235


def test_of_an_animation_the_first_picture_is_taken():
    """With a note."""
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 120, 255)]
    for kind in ("GIF", "PNG", "WEBP"):
        data = packed(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        found = decode_image(data, "x")
        assert found.notes == ("animated: the first of 3 frames is used",)
        assert found.pixels.max() < 30


def test_too_many_pixels_are_refused_before_they_are_decoded():
    """At once, by the header, with the limit in the message."""
    start = time.process_time()
    with pytest.raises(UserError, match=f"more than {MAX_PIXELS:,} pixels"):
        decode_image(png_header(40_000, 40_000), "bomb")

    assert time.process_time() - start < 1  # decoding takes many


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_any_damage_is_one_line(kind):
    """Cut anywhere or with bytes changed: pixels or a UserError, no warning, nothing else."""
    data = packed(Image.fromarray(GRADIENT), kind)
    rng = np.random.default_rng(0)
    told = []
    for _ in range(60):
        broken = bytearray(data[: rng.integers(1, len(data))])
        broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
        try:
            decode_image(bytes(broken), "x.png")
        except UserError as error:
            told.append(str(error))
    assert len(told) > 20
    assert all(line.startswith("x.png: ") and "\n" not in line for line in told)
