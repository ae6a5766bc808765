"""TODO"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from digits.datasets import image_files
from digits.inference.classifier import Classifier
from digits.inference.prediction import ImageReading, Prediction, read_image
from digits.project.errors import UserError

BATCH_SIZE = 256  # digits that the network gets at once
MAX_WAIT_SECONDS = 0.5  # seconds after which fewer are enough
Item = TypeVar("Item")
Result = TypeVar("Result")


def predict_files(
    files: Iterable[str], model: Classifier, several: bool | None = None, keep: bool = False
) -> Iterator[Prediction]:
    """The answer to each of `files`, in their order.

    `several` is that of `preprocess.find`; `keep` leaves the pixels in each answer.
    """
    looks = map_in_order(partial(_read_file, several=several, keep=keep), files)
    for group in _batches(looks, 16 if keep else BATCH_SIZE):
        yield from _classify(group, model)


def _read_file(file: str, several: bool | None, keep: bool) -> ImageReading:
    """Read one file; what is wrong with it becomes the `problem` of the reading."""
    try:
        reading, image = read_image(image_files.read_image_bytes(file), file, several)
    except UserError as error:
        return ImageReading(file, problem=str(error))
    return replace(reading, image=image) if keep else reading


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result | None]:
    """`function` of each item, in order, a few items ahead on all processors.

    None means that the next result has been waited for longer than `PATIENCE`.
    """
    workers = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 4 * workers:
                yield from _awaited(waiting.popleft())
        while waiting:
            yield from _awaited(waiting.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a thread may wait for a pipe for ever


def _awaited(future: Future[Result]) -> Iterator[Result | None]:
    while wait([future], MAX_WAIT_SECONDS).not_done:
        yield None
    yield future.result()


def _batches(looks: Iterable[ImageReading | None], size: int) -> Iterator[list[ImageReading]]:
    """Consecutive looks with at least `size` digits together, or fewer after `PATIENCE`."""
    group: list[ImageReading] = []
    digits, start = 0, time.monotonic()
    for look in looks:
        if look is not None:
            group.append(look)
            digits += max(1, len(look.glyphs.images) if look.glyphs else 0)
        if group and (digits >= size or time.monotonic() - start > MAX_WAIT_SECONDS):
            yield group
            group, digits, start = [], 0, time.monotonic()
    if group:
        yield group


def _classify(group: list[ImageReading], model: Classifier) -> Iterator[Prediction]:
    """The answers to a group, from one call of the network."""
    empty = np.zeros((0, 28, 28), np.uint8)
    pictures = [look.glyphs.images if look.glyphs else empty for look in group]
    every = np.concatenate(pictures)
    probabilities = np.zeros((0, len(model.classes)), np.float32)
    if len(every):
        probabilities = model.probabilities(every)
    ends = np.cumsum([len(p) for p in pictures])[:-1]
    for reading, likely in zip(group, np.split(probabilities, ends), strict=True):
        yield Prediction(reading, model.classes, likely)
