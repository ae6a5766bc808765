"""Device, threads and precision."""

import pytest
import torch

from stages.lib import hardware, params
from stages.lib.errors import UserError


def test_cuda_that_is_absent_is_refused(values, monkeypatch):
    """Asking for a GPU where there is none is an error; auto takes the processor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train = params.check(values, "test").train
    with pytest.raises(UserError, match=r"train\.device is cuda"):
        hardware.configure(train.model_copy(update={"device": "cuda"}))
    assert hardware.configure(train.model_copy(update={"device": "auto"})).type == "cpu"


def test_threads_are_set(values):
    """`configure` gives torch the number of threads that params.yaml says."""
    train = params.check(values, "test").train
    hardware.configure(train.model_copy(update={"threads": 2}))
    assert torch.get_num_threads() == 2
    hardware.configure(train)
    assert torch.get_num_threads() == 1
