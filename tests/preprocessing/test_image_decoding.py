"""Bytes of image files become upright RGB pixels, or an error of one line."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from digits.preprocessing.image_decoding import MAX_PIXELS, SCAN, decode_image
from digits.project.errors import UserError
from tests import processes
from tests.cli.test_predict import png_header
from tests.strokes import packed

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG"])
def test_each_format_gives_the_same_pixels(kind):
    """A gray image has three equal channels."""
    how = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode_image(packed(Image.fromarray(GRADIENT), kind, **how), "x")

    assert decoded.size == (16, 16)
    off = np.abs(decoded.pixels.astype(int) - GRADIENT[..., None]).max()
    assert off <= (20 if kind == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_each_mode_is_light_where_it_was(mode):
    """The left half is black and the right half white in each of Pillow's modes."""
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
    """With 12 bits in 16, black stays black and white stays white."""
    values = np.linspace(0, 4095, 200, dtype=np.uint16).reshape(10, 20)
    pixels = decode_image(packed(Image.fromarray(values), "PNG"), "x").pixels

    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize(("color", "background"), [(0, 255), (255, 0)])
def test_transparency_becomes_a_contrasting_background(color, background):
    """Black ink is put on white, and white ink on black."""
    rgba = np.zeros((9, 9, 4), np.uint8)
    rgba[3:6, 3:6] = [color, color, color, 255]
    pixels = decode_image(packed(Image.fromarray(rgba), "PNG"), "x").pixels

    assert (pixels[4, 4, 0], pixels[0, 0, 0]) == (color, background)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """All eight orientations give the upright image and its size."""
    upright = np.full((20, 40), 255, np.uint8)
    upright[:5, :10] = 0  # top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Image.Transpose
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(packed(stored, "PNG", exif=exif), "x")

    assert decoded.size == (40, 20)
    assert np.array_equal(decoded.pixels[..., 0], upright)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "L"), ("PNG", "RGBA"), ("BMP", "P")]
)
def test_a_large_image_is_reduced_and_keeps_its_full_size(kind, mode):
    """Each side of 12 megapixels is divided by four; what was on the left stays there."""
    pixels = np.full((3000, 4000), 255, np.uint8)
    pixels[:, :1000] = 0
    decoded = decode_image(packed(Image.fromarray(pixels).convert(mode), kind), "x")

    assert decoded.size == (4000, 3000)
    assert decoded.pixels.shape == (750, 1000, 3)
    assert decoded.pixels[:, :248].max() < 20
    assert decoded.pixels[:, 252:].min() > 235


def test_the_first_frame_of_an_animation_is_used():
    """A note says so."""
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 120, 255)]
    for kind in ("GIF", "PNG", "WEBP"):
        data = packed(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        decoded = decode_image(data, "x")
        assert decoded.notes == ("of several frames the first is used",)
        assert decoded.pixels.max() < 30


def test_too_many_pixels_are_refused_before_they_are_decoded():
    """Only the header is there, and the message has the limit."""
    with pytest.raises(UserError, match=f"more than {MAX_PIXELS:,} pixels"):
        decode_image(png_header(40_000, 40_000), "bomb")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damage_gives_pixels_or_one_line(kind):
    """A file that is cut or changed anywhere raises UserError or nothing, without a warning."""
    data = packed(Image.fromarray(GRADIENT), kind)
    rng = np.random.default_rng(0)
    messages = []
    for _ in range(60):
        broken = bytearray(data[: rng.integers(1, len(data))])
        broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
        try:
            decode_image(bytes(broken), "x.png")
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(line.startswith("x.png: ") and "\n" not in line for line in messages)


@pytest.mark.parametrize(("low", "high", "odd"), [(0, 1, np.nan), (-50, 50, np.inf), (0, 200, 1)])
def test_numbers_of_any_range_are_scaled(low, high, odd):
    """Negative values and fractions are levels of gray; what is not finite is ignored."""
    values = np.full((40, 40), high, np.float32)
    values[10:30, 18:22], values[3, 3] = low, odd

    gray = decode_image(packed(Image.fromarray(values), "TIFF"), "x").pixels[..., 0].astype(int)
    background, ink = gray[0, 0], gray[20, 20]
    assert (ink, background > 190) == (0, True)
    assert abs(gray[3, 3] - background) <= (background if odd == 1 else 15)


def test_a_jpeg_of_thousands_of_scans_is_refused():
    """Each costs as much as the whole image, and few bytes."""
    file = io.BytesIO()
    Image.new("L", (3000, 3000), 128).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    scan = content[content.rindex(SCAN) : -2]
    assert decode_image(content[:-2] + 9 * scan + content[-2:], "p").size == (3000, 3000)
    with pytest.raises(UserError, match=r"p: a JPEG of 4,0.. scans; save it anew"):
        decode_image(content[:-2] + 4000 * scan + content[-2:], "p")


def test_thousands_of_frames_are_not_counted(monkeypatch):
    """Counting reads them all, and each more slowly than the one before."""
    monkeypatch.delattr(TiffImagePlugin.TiffImageFile, "n_frames")
    frames = [Image.new("L", (30, 30), 9 * n) for n in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    decoded = decode_image(file.getvalue(), "p")
    assert (decoded.notes, decoded.pixels.max()) == (("of several frames the first is used",), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory")
@pytest.mark.parametrize(("mode", "color"), [("RGBA", (9, 9, 9, 99)), ("I;16", 9)])
def test_a_large_image_of_few_bytes_takes_little_memory(tmp_path, mode, color):
    """24 million pixels with transparency, or of 16 bits: less than 600 MB."""
    Image.new(mode, (6000, 4000), color).save(tmp_path / "large.png")
    done = processes.run(FEW_BYTES, tmp_path / "large.png")
    assert (done.stdout, done.stderr) == ("(6000, 4000)\n", "")


FEW_BYTES = """
import resource, sys
from pathlib import Path
import cv2, PIL.PngImagePlugin
from digits.preprocessing.image_decoding import decode_image
content = Path(sys.argv[1]).read_bytes()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20, resource.RLIM_INFINITY))
print(decode_image(content, "p").size)
"""
