"""What a model says of picture files: read, found and classified in a stream, in order.

Reading and finding run in threads, because Pillow and OpenCV work without Python's lock;
the network gets the digits of many files at once.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.lib import reject, sources
from stages.lib.classifier import Classifier
from stages.lib.decode import Scan, decode
from stages.lib.errors import UserError
from stages.lib.preprocess import Found, find

BATCH = 32  # digits that the network gets at once: more wait longer and gain nothing
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Look:
    """What was found in a file before any network saw it; `problem` says why nothing was."""

    file: str
    found: Found | None = None
    scan: Scan | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Answer:
    """What the model says of one file: n digits in reading order, n may be 0.

    `probabilities` float32 [n, classes]; `doubtful` bool [n]: perhaps no digit at all.
    """

    look: Look
    classes: list[str]
    probabilities: NDArray[np.float32]
    doubtful: NDArray[np.bool_]

    @property
    def digits(self) -> list[str]:
        """The most probable class of each digit."""
        return [self.classes[i] for i in self.probabilities.argmax(1)]

    @property
    def text(self) -> str:
        """All digits, `/` between the rows."""
        if self.look.found is None:
            return ""
        breaks = np.diff(self.look.found.rows, prepend=self.look.found.rows[:1])
        pairs = zip(self.digits, breaks, strict=True)
        return "".join("/" * bool(new) + digit for digit, new in pairs)

    @property
    def probability(self) -> float:
        """That the whole text is right: the product over its digits."""
        return float(self.probabilities.max(1).prod()) if len(self.probabilities) else 0.0

    @property
    def status(self) -> str:
        """One of `ok`, `doubtful`, `no digit` and `error`."""
        if self.look.problem:
            return "error"
        if not len(self.probabilities):
            return "no digit"
        return "doubtful" if self.doubtful.any() else "ok"


def answers(
    files: Iterable[str], model: Classifier, several: bool | None = None, keep: bool = False
) -> Iterator[Answer]:
    """The answer to each of `files`, in their order.

    `several` is that of `preprocess.find`; `keep` leaves the pixels in each answer.
    """
    looks = in_order(partial(_look, several=several, keep=keep), files)
    for group in _groups(looks):
        yield from _classified(group, model)


def _look(file: str, several: bool | None, keep: bool) -> Look:
    """Read a file and find its digits."""
    try:
        scan = decode(sources.content(file), file)
        return Look(file, find(scan, several), scan if keep else None, scan.notes)
    except UserError as error:
        return Look(file, problem=str(error))


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, in order, a few items ahead on all processors."""
    workers = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a thread may wait for a pipe for ever


def _groups(looks: Iterable[Look]) -> Iterator[list[Look]]:
    """Consecutive looks with at least `BATCH` digits together; an empty page counts as one."""
    group: list[Look] = []
    digits = 0
    for look in looks:
        group.append(look)
        digits += max(1, len(look.found.pictures) if look.found else 0)
        if digits >= BATCH:
            yield group
            group, digits = [], 0
    if group:
        yield group


def _classified(group: list[Look], model: Classifier) -> Iterator[Answer]:
    """The answers to a group, from one call of the network."""
    empty = np.zeros((0, 28, 28), np.uint8)
    pictures = [look.found.pictures if look.found else empty for look in group]
    every = np.concatenate(pictures)
    probabilities = np.zeros((0, len(model.classes)), np.float32)
    if len(every):
        probabilities = model.probabilities(every)
    doubtful = reject.doubtful(probabilities)
    ends = np.cumsum([len(p) for p in pictures])[:-1]
    parts = zip(group, np.split(probabilities, ends), np.split(doubtful, ends), strict=True)
    for look, likely, doubt in parts:
        yield Answer(look, model.classes, likely, doubt)
