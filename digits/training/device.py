"""The device that trains, with its threads, precision and random numbers.

The environment variables of threads, which must be set before torch is imported, are in
`project.thread_environment`.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from digits.project.errors import UserError
from digits.project.params_schema import TrainParams


def configure_torch(train: TrainParams) -> torch.device:
    """Set threads, determinism and torch's seed by `train`; return the device.

    Call it before `networks.build_network`. Raises UserError as `select_device`.
    """
    torch.set_num_threads(train.threads)
    torch.backends.cudnn.deterministic = True
    torch.manual_seed(train.seed)
    return select_device(train)


def select_device(train: TrainParams) -> torch.device:
    """Return the device of `train.device`; UserError when it is cuda and there is none."""
    use_cuda = train.device != "cpu" and torch.cuda.is_available()
    if train.device == "cuda" and not use_cuda:
        found = f"train.device is cuda, but torch finds no GPU ({_why_no_gpu()})"
        raise UserError(f"{found}: set it to auto or cpu")
    return torch.device("cuda" if use_cuda else "cpu")


def _why_no_gpu() -> str:
    """Return torch's reason, its first sentence: no driver, one that is too old, no GPU."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return str(error).partition(". ")[0].strip(" .").splitlines()[0]
    return "none is visible"


@contextmanager
def reporting_memory(train: TrainParams) -> Iterator[None]:
    """Turn a GPU's lack of memory into a UserError that says how much was wanted."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        sizes = re.findall(r"(?:allocate|capacity of|which) ([\d.]+ [KMGT]iB)", str(error))
        told = str(error)
        if len(sizes) == 3:
            told = "{} more are needed, of {} only {} are free".format(*sizes)
        advice = f"lower train.batch_size ({train.batch_size}), or set train.device to cpu"
        raise UserError(f"the GPU has too little memory: {told}; {advice}") from error


def uses_bfloat16(train: TrainParams, kind: str) -> bool:
    """Return whether matrix products are in bfloat16 on a `kind` ("cpu" or "cuda") of device.

    With `train.precision` auto they are where the device computes faster in it.
    """
    if train.precision != "auto":
        return train.precision == "bfloat16"
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Intel cores without AMX multiply bfloat16 more slowly than float32, AMD cores do not.
    cpu = torch.cpu.get_capabilities()
    without_amx = "Intel" in str(cpu.get("cpu_name", "")) and not cpu.get("amx_bf16")
    return bool(cpu.get("avx512_bf16")) and not without_amx


def images_that_fit(count: int, shape: Sequence[int]) -> int:
    """Return how many images of a larger `shape` (n, ...) take the memory of `count` of MNIST."""
    return max(1, count * min(784, math.prod(shape[1:])) // math.prod(shape[1:]))


def seeded_generator(seeds: list[int], device: torch.device) -> torch.Generator:
    """Return a generator on `device` that `seeds` alone decide."""
    seed = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(seed))
