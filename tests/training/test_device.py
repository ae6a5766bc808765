"""Device, threads and precision."""

import pytest
import torch

from digits.project import params_file
from digits.project.errors import UserError
from digits.training import device


def test_cuda_without_a_gpu_is_an_error(values, monkeypatch):
    """The error names the parameter and torch's reason; auto takes the processor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", torch_finds_an_old_driver)
    train = params_file.check_params(values, "test").train
    found = r"train\.device is cuda, but torch finds no GPU \(The NVIDIA driver .* is too old"
    with pytest.raises(UserError, match=found):
        device.configure_torch(train.model_copy(update={"device": "cuda"}))
    assert device.configure_torch(train.model_copy(update={"device": "auto"})).type == "cpu"


def torch_finds_an_old_driver():
    """Fail as torch does."""
    problem = "The NVIDIA driver on your system is too old (found version 11040)"
    raise RuntimeError(f"{problem}. Please update your GPU driver by downloading a new one.")


def test_too_little_memory_of_a_gpu_is_an_error(values):
    """The error says how much was wanted, and what to change."""
    train = params_file.check_params(values, "test").train
    capacity = "GPU 0 has a total capacity of 7.92 GiB of which 512.00 MiB is free."
    told = f"CUDA out of memory. Tried to allocate 9.10 GiB. {capacity} Including non-PyTorch"
    found = "9.10 GiB more are needed, of 7.92 GiB only 512.00 MiB are free; lower train.batch"
    with pytest.raises(UserError, match=found), device.reporting_memory(train):
        raise torch.OutOfMemoryError(told)
