"""What training computes on: the device, its threads and precision, its random numbers."""

import numpy as np
import torch

from digits.project.errors import UserError
from digits.project.params_schema import TrainParams


def configure_torch(train: TrainParams) -> torch.device:
    """Set threads, determinism and torch's seed as `train` says; the device to train on.

    Call it before `network.build`. Raises UserError when CUDA is asked for and absent.
    """
    torch.set_num_threads(train.threads)
    torch.backends.cudnn.deterministic = True
    torch.manual_seed(train.seed)
    return select_device(train)


def select_device(train: TrainParams) -> torch.device:
    """Where `train.device` says to train; raises UserError when that is not there."""
    if train.device == "cuda" and not torch.cuda.is_available():
        raise UserError("train.device is cuda, but torch finds none; set it to auto or cpu")
    wanted = train.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if wanted else "cpu")


def uses_bfloat16(train: TrainParams, kind: str) -> bool:
    """Whether matrix products are in bfloat16 on a `kind` ("cpu" or "cuda") of device.

    So it is when `train.precision` is auto and the device computes faster in it.
    """
    if train.precision != "auto":
        return train.precision == "bfloat16"
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without AMX an Intel core multiplies bfloat16 at half the pace of float32: measured
    # 155 against 280 GFLOP/s on two; an AMD core at over twice the pace.
    able = torch.cpu.get_capabilities()
    without_amx = "Intel" in str(able.get("cpu_name", "")) and not able.get("amx_bf16")
    return bool(able.get("avx512_bf16")) and not without_amx


def seeded_generator(seeds: list[int], device: torch.device) -> torch.Generator:
    """A source of randomness that `seeds` decide."""
    mixed = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed))
