"""Decode image files and fit them to the network's input, in parallel threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.datasets.image_files import read_image_bytes
from digits.preprocessing import plain_png
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import (
    WORKING_PIXELS,
    DecodedImage,
    decode_image,
    flatten_transparency,
)
from digits.preprocessing.image_format import ImageFormat
from digits.preprocessing.image_front import ImageFront
from digits.project.errors import UserError
from digits.project.progress_bar import ProgressBar

CHUNK = 64  # images that a thread takes at a time
SMALL = 64 * 1024  # bytes
Images = NDArray[np.uint8]
Sizes = NDArray[np.int64]  # (n, 2): width and height


class ImageFitter:
    """Fits images to a format: whole images, or the single glyph on each."""

    def __init__(self, image_format: ImageFormat) -> None:
        self.format = image_format
        self._front = ImageFront(image_format) if image_format.kind == "images" else None

    def fit(self, pixels: Images, size: tuple[int, int], name: str) -> Images:
        """Return `pixels`, gray or RGB, in the shape of the format.

        Raises UserError if there is no glyph on an image of `size`.
        """
        if self._front is not None:
            return self._front.fit(pixels)
        color = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 else pixels
        glyphs = extract_glyphs(DecodedImage(color, size), False, self.format.side).images
        if not len(glyphs):
            raise UserError(f"{name}: no glyph found; strokes on a background were expected")
        return np.asarray(glyphs[0])

    def read_files(self, files: Sequence[str]) -> tuple[Images, Sizes, list[tuple[str, str]]]:
        """Decode and fit `files`: images, their sizes, and the unreadable files with reasons."""

        def read(file: str) -> tuple[Images, tuple[int, int]]:
            content = _read_small(file)
            plain = plain_png.decode(content, WORKING_PIXELS)
            if plain is not None:  # gray stays one channel, which `decode_image` would repeat
                size = (plain.shape[1], plain.shape[0])
                return (flatten_transparency(plain) if plain.shape[2:] == (4,) else plain), size
            image = decode_image(content, file)
            return image.pixels, image.size

        images, sizes, problems = self._fit_all(files, read, files)
        if problems:
            readable = np.array([file not in problems for file in files], bool)
            images, sizes = images[readable], sizes[readable]
        return images, sizes, list(problems.items())

    def fit_arrays(self, arrays: Images | Sequence[Images], part: str) -> tuple[Images, Sizes]:
        """Fit images that are arrays; those that have the format's shape stay as they are.

        Raises UserError for an image without a glyph; `part` is its part of the data set.
        """
        if isinstance(arrays, np.ndarray) and arrays.shape[1:] == self.format.shape:
            return arrays, np.full((len(arrays), 2), self.format.side)

        def measured(pixels: Images) -> tuple[Images, tuple[int, int]]:
            return pixels, (pixels.shape[1], pixels.shape[0])

        names = [f"{part} {i}" for i in range(len(arrays))]
        images, sizes, problems = self._fit_all(arrays, measured, names)
        for problem in problems.values():
            raise UserError(f"{problem}; `kind: images` takes images as they are")
        return images, sizes

    def _fit_all(
        self,
        items: Any,
        decode: Callable[[Any], tuple[Images, tuple[int, int]]],
        names: Sequence[str],
    ) -> tuple[Images, Sizes, dict[str, str]]:
        """Decode and fit `items` in threads; the messages of UserError by name."""
        images = np.zeros((len(items), *self.format.shape), np.uint8)
        sizes = np.zeros((len(items), 2), np.int64)
        problems: dict[str, str] = {}

        def fit_chunk(start: int) -> int:
            end = min(start + CHUNK, len(items))
            for i in range(start, end):
                try:
                    pixels, size = decode(items[i])
                    images[i], sizes[i] = self.fit(pixels, size, names[i]), size
                except UserError as error:
                    problems[names[i]] = str(error)
            return end - start

        bar, done = ProgressBar(len(items), "images"), 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for n in pool.map(fit_chunk, range(0, len(items), CHUNK)):
                done += n
                bar.update(done)
        bar.clear()
        return images, sizes, {name: problems[name] for name in names if name in problems}


def _read_small(file: str) -> bytes:
    """Read a file; a small one with few calls, because other threads wait for each of them."""
    with suppress(OSError):  # `read_image_bytes` explains it
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            content = os.read(descriptor, SMALL)
        finally:
            os.close(descriptor)
        if len(content) < SMALL:
            return content
    return read_image_bytes(file)
