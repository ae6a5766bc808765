"""Decoding and inference, off the event loop.

Pictures that wait while the network runs go through it together the next time: the MLP
takes 16 in the time of 4, and nobody waits for others to come.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from digits.inference.classifier import softmax
from digits.service import prometheus_metrics
from digits.service.served_model import ModelHolder, ServedModel

BATCH_SIZE = 64  # pictures of several requests; larger gains little
DECODER_THREADS = 2  # decoders; each may take 100 MB for a large picture
ImageArray = NDArray[np.uint8]
Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelOutput:
    """The model that answered, and what it said: logits and probabilities, (n, classes)."""

    served: ServedModel
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]


class BatchQueue:
    """The threads of a service.

    Requests of more than `BATCH` pictures have a lane of their own and hold up nobody else.
    """

    def __init__(self, holder: ModelHolder) -> None:
        self.holder = holder
        self.decoders = ThreadPoolExecutor(DECODER_THREADS, "decode")
        self.few, self.many = (InferenceLane(holder) for _ in range(2))

    async def run_in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(*arguments)`, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.decoders, function, *arguments)

    async def predict(self, pictures: ImageArray) -> ModelOutput:
        """What the model says of `pictures` (n, 28, 28); n may be 0."""
        if not len(pictures):
            served = self.holder.served
            nothing = np.zeros((0, len(served.classifier.classes)), np.float32)
            return ModelOutput(served, nothing, nothing)
        lane = self.few if len(pictures) <= BATCH_SIZE else self.many
        return await lane.predict(pictures)


class InferenceLane:
    """A thread that runs the network, and the pictures that wait for it."""

    def __init__(self, holder: ModelHolder) -> None:
        self.holder = holder
        self.thread = ThreadPoolExecutor(1, "network")
        self.queue: deque[tuple[ImageArray, asyncio.Future[ModelOutput]]] = deque()
        self.running = False

    def predict(self, pictures: ImageArray) -> asyncio.Future[ModelOutput]:
        """What the model says of `pictures` (n, 28, 28); n is at least 1."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[ModelOutput] = loop.create_future()
        self.queue.append((pictures, outcome))
        if not self.running:
            self.running = True
            loop.call_soon(self._run)  # after requests that are there already
        return outcome

    def _run(self) -> None:
        """Send as many of those that wait through the network as fit together."""
        group = [self.queue.popleft()]
        size = len(group[0][0])
        while self.queue and size + len(self.queue[0][0]) <= BATCH_SIZE:
            group.append(self.queue.popleft())
            size += len(group[-1][0])
        self.running = True
        pictures = [pictures for pictures, _ in group]
        loop = asyncio.get_running_loop()
        ran = loop.run_in_executor(self.thread, _run_network, self.holder.served, pictures)
        ran.add_done_callback(partial(self._done, [outcome for _, outcome in group]))

    def _done(
        self, waiting: list[asyncio.Future[ModelOutput]], ran: asyncio.Future[list[ModelOutput]]
    ) -> None:
        """Hand out what one run gave, after starting the next."""
        self.running = False
        if self.queue:
            self._run()
        error = ran.exception()
        for i, outcome in enumerate(waiting):
            if outcome.done():  # its request was cancelled
                continue
            if error is None:
                outcome.set_result(ran.result()[i])
            else:
                outcome.set_exception(error)


def _run_network(served: ServedModel, pictures: list[ImageArray]) -> list[ModelOutput]:
    """The outcome for each of several arrays of pictures, from one run of the network."""
    logits = served.classifier.logits(np.concatenate(pictures))
    likely = softmax(logits)
    prometheus_metrics.count_predictions(likely, served)
    ends = accumulate(map(len, pictures))
    parts = [slice(end - len(p), end) for p, end in zip(pictures, ends, strict=True)]
    return [ModelOutput(served, logits[part], likely[part]) for part in parts]
