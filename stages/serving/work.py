"""Decoding and inference, off the event loop.

Pictures that wait while the network runs go through it together the next time: the MLP
takes 16 in the time of 4, and nobody waits for others to come.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.serving.metrics import Metrics
from stages.serving.served import Holder, Served

BATCH = 64  # pictures of several requests; larger gains little
LANES = 2  # runs of the network at once: a long one holds up nobody
THREADS = 2  # decoders; each may take 100 MB for a large picture
Pictures = NDArray[np.uint8]
Logits = NDArray[np.float32]
Answers = asyncio.Future[tuple[Served, Logits]]
Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Work:
    """The threads of a service, and the pictures that wait for its model."""

    def __init__(self, holder: Holder, metrics: Metrics) -> None:
        self.holder, self.metrics = holder, metrics
        self.decoders = ThreadPoolExecutor(THREADS, "decode")
        self.runners = ThreadPoolExecutor(LANES, "network")
        self.queue: deque[tuple[Pictures, Answers]] = deque()
        self.running = 0

    async def off_loop(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """`function(argument)`, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.decoders, function, argument)

    async def logits(self, pictures: Pictures) -> tuple[Served, Logits]:
        """The model that answers, and its logits (n, classes); n is at least 1."""
        answer: Answers = asyncio.get_running_loop().create_future()
        self.queue.append((pictures, answer))
        if self.running < LANES:
            self._run()
        return await answer

    def _run(self) -> None:
        """Send as many of those that wait through the network as fit together."""
        served = self.holder()
        group = [self.queue.popleft()]
        size = len(group[0][0])
        while self.queue and size + len(self.queue[0][0]) <= BATCH:
            group.append(self.queue.popleft())
            size += len(group[-1][0])
        self.running += 1
        self.metrics.batch.observe(size)
        pictures = [pictures for pictures, _ in group]
        ran = asyncio.get_running_loop().run_in_executor(self.runners, _logits, served, pictures)
        ran.add_done_callback(partial(self._done, served, [answer for _, answer in group]))

    def _done(
        self, served: Served, answers: list[Answers], ran: asyncio.Future[list[Logits]]
    ) -> None:
        """Hand out what one run gave, then start the next."""
        self.running -= 1
        if self.queue:
            self._run()
        error = ran.exception()
        for i, answer in enumerate(answers):
            if answer.done():  # its request was cancelled
                continue
            if error is None:
                answer.set_result((served, ran.result()[i]))
            else:
                answer.set_exception(error)


def _logits(served: Served, pictures: list[Pictures]) -> list[Logits]:
    """The logits of each of several arrays of pictures, from one run."""
    if len(pictures) == 1:
        return [served.classifier.logits(pictures[0])]
    together = served.classifier.logits(np.concatenate(pictures))
    return np.split(together, np.cumsum([len(p) for p in pictures])[:-1])


def probabilities(logits: Logits) -> NDArray[np.float32]:
    """Each row of (n, classes) as probabilities; n may be 0."""
    raised = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(1, keepdims=True))
