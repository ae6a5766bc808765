"""Threads for decoding and inference, so that the event loop stays free.

Requests that arrive during a run of the network share the next run (dynamic batching). No
request waits for others to arrive.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from digits.inference.classifier import softmax
from digits.service import prometheus_metrics
from digits.service.responses import RequestRefusedError
from digits.service.served_model import ModelHolder, ServedModel
from digits.service.tensor_payloads import INLINE_BYTES

BATCH_SIZE = 64  # images of several requests in one run
RETRY = {"retry-after": "1"}
DECODER_THREADS = 2  # few, because each may hold a decoded image of 24 megapixels
ImageArray = NDArray[np.uint8]
Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelOutput:
    """Logits and probabilities, (n, classes) each, and the model that computed them."""

    served: ServedModel
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]


class PendingRequest(NamedTuple):
    """The images of a request, their future output, and whether metrics count it."""

    images: ImageArray
    output: asyncio.Future[ModelOutput]
    counted: bool


class BatchQueue:
    """The threads of a worker.

    Requests of more than `BATCH_SIZE` images have a thread of their own, so that they do not
    delay smaller ones.
    """

    def __init__(self, holder: ModelHolder) -> None:
        self.holder = holder
        self.decoders = ThreadPoolExecutor(DECODER_THREADS, "decode")
        self.small, self.large = (InferenceThread(holder) for _ in range(2))

    async def run_in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return `function(*arguments)`, computed in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.decoders, function, *arguments)

    async def parse(self, parser: Callable[..., Result], body: bytes, *arguments: Any) -> Result:
        """Return `parser(body, *arguments)`, computed in a thread if the body is large."""
        if len(body) <= INLINE_BYTES:
            return parser(body, *arguments)
        return await self.run_in_thread(parser, body, *arguments)

    async def predict(self, images: ImageArray, *, counted: bool = True) -> ModelOutput:
        """Return the model's output for `images` (n, *format.shape); n may be 0.

        Metrics count them if they are to be `counted`. Raises RequestRefusedError if the model
        that is served now takes other images.
        """
        served = self.holder.served
        if images.shape[1:] != served.classifier.format.shape:
            raise RequestRefusedError(503, "the model was just replaced; try again", RETRY)
        if not len(images):
            empty = np.zeros((0, len(served.classifier.classes)), np.float32)
            return ModelOutput(served, empty, empty)
        thread = self.small if len(images) <= BATCH_SIZE else self.large
        return await thread.predict(images, counted)


class InferenceThread:
    """A thread that runs the network, and the queue of images that wait for it."""

    def __init__(self, holder: ModelHolder) -> None:
        self.holder = holder
        self.thread = ThreadPoolExecutor(1, "network")
        self.queue: deque[PendingRequest] = deque()
        self.running = False

    def predict(self, images: ImageArray, counted: bool) -> asyncio.Future[ModelOutput]:
        """Enqueue `images` (n, *format.shape), n at least 1; return their future output."""
        loop = asyncio.get_running_loop()
        output: asyncio.Future[ModelOutput] = loop.create_future()
        self.queue.append(PendingRequest(images, output, counted))
        if not self.running:
            self.running = True
            loop.call_soon(self._run)  # after the requests that have already arrived
        return output

    def _run(self) -> None:
        """Start a run of the network over as many waiting requests as fit into a batch."""
        group = [self.queue.popleft()]
        size = len(group[0].images)
        while self.queue and size + len(self.queue[0].images) <= BATCH_SIZE:
            group.append(self.queue.popleft())
            size += len(group[-1].images)
        run = asyncio.wrap_future(self.thread.submit(_run_network, self.holder.served, group))
        run.add_done_callback(lambda run: self._finish(group, run))

    def _finish(self, group: list[PendingRequest], run: asyncio.Future[list[ModelOutput]]) -> None:
        """Start the next run, then hand out the results of this one."""
        self.running = bool(self.queue)
        if self.running:
            self._run()
        error = run.exception()
        for i, (_, output, _) in enumerate(group):
            if output.done():  # the request was cancelled
                continue
            if error is None:
                output.set_result(run.result()[i])
            else:
                output.set_exception(error)


def _run_network(served: ServedModel, group: list[PendingRequest]) -> list[ModelOutput]:
    """Return the output for each of several requests, from one run of the network."""
    sizes = [len(request.images) for request in group]
    logits = served.classifier.logits(np.concatenate([request.images for request in group]))
    probabilities = softmax(logits)
    prometheus_metrics.BATCH.observe(len(probabilities))
    is_counted = np.repeat([request.counted for request in group], sizes)
    prometheus_metrics.count_predictions(probabilities[is_counted], served)
    parts = [slice(stop - n, stop) for n, stop in zip(sizes, accumulate(sizes), strict=True)]
    return [ModelOutput(served, logits[part], probabilities[part]) for part in parts]
