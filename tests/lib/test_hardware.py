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
