"""Predict many image files in a stream, in their order.

Files are decoded and their glyphs extracted in threads, because Pillow and OpenCV release
Python's lock; the network gets the glyphs of many files at once.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from digits.datasets import image_files
from digits.inference.classifier import Classifier
from digits.inference.prediction import ImageReading, Prediction, read_image
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError

if TYPE_CHECKING:
    from concurrent.futures import Future

BATCH_SIZE = 256  # glyphs that the network gets at once
MAX_WAIT_SECONDS = 0.5  # after which fewer are enough
Item = TypeVar("Item")
R = TypeVar("R")


def predict_files(
    files: Iterable[str], model: Classifier, several: bool | None = None, keep: bool = False
) -> Iterator[Prediction]:
    """Yield the prediction for each of `files`, in their order.

    `several` is that of `extract_glyphs`; `keep` leaves the decoded image in each reading.
    """
    form, files = model.format, list(files)
    in_order = map if len(files) == 1 else map_in_order  # threads take 10 ms to begin
    readings = in_order(lambda file: _read_file(file, several, form, keep), files)
    size = BATCH_SIZE if form.kind == "glyphs" else 32
    for group in _batches(readings, 16 if keep else size):
        yield from _classify(group, model)


def _read_file(
    file: str, several: bool | None, image_format: ImageFormat, keep: bool
) -> ImageReading:
    """Read one file; an error becomes the `problem` of the reading."""
    try:
        content = image_files.read_image_bytes(file)
        reading, image = read_image(content, file, several, image_format=image_format)
    except UserError as error:
        return ImageReading(file, problem=str(error))
    return replace(reading, image=image) if keep else reading


def map_in_order(function: Callable[[Item], R], items: Iterable[Item]) -> Iterator[R | None]:
    """Yield `function` of each item, in order; threads work a few items ahead.

    None is yielded whenever the next result took longer than MAX_WAIT_SECONDS.
    """
    from concurrent.futures import ThreadPoolExecutor

    workers = os.cpu_count() or 1
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 4 * workers:
                yield from _await_result(pending.popleft())
        while pending:
            yield from _await_result(pending.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a thread may wait for a pipe for ever


def _await_result(future: "Future[R]") -> Iterator[R | None]:
    """Yield None while the result takes long, then the result."""
    from concurrent.futures import wait

    while wait([future], MAX_WAIT_SECONDS).not_done:
        yield None
    yield future.result()


def _batches(readings: Iterable[ImageReading | None], size: int) -> Iterator[list[ImageReading]]:
    """Group consecutive readings to at least `size` glyphs, or fewer after MAX_WAIT_SECONDS."""
    group: list[ImageReading] = []
    glyphs, start = 0, time.monotonic()
    for reading in readings:
        if reading is not None:
            group.append(reading)
            glyphs += max(1, len(reading.glyphs.images) if reading.glyphs else 0)
        if group and (glyphs >= size or time.monotonic() - start > MAX_WAIT_SECONDS):
            yield group
            group, glyphs, start = [], 0, time.monotonic()
    if group:
        yield group


def _classify(group: list[ImageReading], model: Classifier) -> Iterator[Prediction]:
    """Yield the predictions of a group, from one call of the network."""
    empty = np.zeros((0, *model.format.shape), np.uint8)
    images = [r.glyphs.images if r.glyphs else empty for r in group]
    ends = np.cumsum([len(i) for i in images])[:-1]
    parts = np.split(model.probabilities(np.concatenate(images)), ends)
    for reading, part in zip(group, parts, strict=True):
        yield Prediction(reading, model.classes, part)
