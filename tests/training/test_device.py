"""Device, threads and precision."""

import pytest
import torch

from digits.project import params_file
from digits.project.errors import UserError
from digits.training import device


def test_cuda_that_is_absent_is_refused(values, monkeypatch):
    """Asking for a GPU where there is none is an error; auto takes the processor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train = params_file.check_params(values, "test").train
    with pytest.raises(UserError, match=r"train\.device is cuda"):
        device.configure_torch(train.model_copy(update={"device": "cuda"}))
    assert device.configure_torch(train.model_copy(update={"device": "auto"})).type == "cpu"
