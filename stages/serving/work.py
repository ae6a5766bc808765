"""Decoding and inference, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.serving.served import Holder, Served

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Work:
    """The threads of a service, and the model they use."""

    def __init__(self, holder: Holder, threads: int = 2) -> None:
        self.holder = holder
        self.pool = ThreadPoolExecutor(threads)

    async def off_loop(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """`function(argument)`, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, argument)

    async def probabilities(
        self, pictures: NDArray[np.uint8]
    ) -> tuple[Served, NDArray[np.float32]]:
        """The model that answers, and its probabilities (n, classes); n may be 0."""
        served = self.holder()
        if not len(pictures):
            return served, np.zeros((0, len(served.classifier.classes)), np.float32)
        return served, await self.off_loop(served.classifier.probabilities, pictures)
