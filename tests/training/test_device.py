"""Device, threads and precision."""

import pytest
import torch

from digits.project import params_file
from digits.project.errors import UserError
from digits.training import device


def test_cuda_without_a_gpu_is_an_error(values, monkeypatch):
    """The error names the parameter; auto takes the processor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train = params_file.check_params(values, "test").train
    with pytest.raises(UserError, match=r"train\.device is cuda"):
        device.configure_torch(train.model_copy(update={"device": "cuda"}))
    assert device.configure_torch(train.model_copy(update={"device": "auto"})).type == "cpu"
