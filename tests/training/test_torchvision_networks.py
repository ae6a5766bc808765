"""Networks of torchvision; those that are not here are tried by tests/bench/bench_networks.py."""

import numpy as np
import pytest
import torch

from digits.datasets.split_files import LabelledImages
from digits.inference import classifier
from digits.preprocessing.image_format import ImageFormat
from digits.project import params_file
from digits.project.errors import UserError
from digits.training import networks, save_model, torchvision_networks, training_loop
from digits.training.train_model import new_state
from tests import sealed

COLOR, GRAY = ImageFormat("images", 32, 3), ImageFormat("images", 32, 1)


def _values(values, name, **changes):
    values["model"] |= {"kind": "torchvision", "torchvision": {"name": name, "pretrained": False}}
    values["model"]["torchvision"] |= changes
    values["train"] |= {"batch_size": 8, "epochs": 2, "shard": 4}
    values["augment"]["flagged_ones"] = 0
    return params_file.check_params(values, "test")


def _state(checked, form):
    pixels = np.random.default_rng(0).integers(0, 256, (16, *form.shape), np.uint8)
    data = LabelledImages(pixels, np.arange(16) % 3, ("a", "b", "c"), form)
    parts = {"training": data, "validation": data}
    return new_state(checked.model, checked.augment, checked.train, parts)


@pytest.mark.parametrize(("name", "form"), [("mobilenet_v3_small", GRAY), ("resnet18", COLOR)])
def test_training_resumes_with_the_same_weights(values, name, form):
    """Two epochs at once, and one epoch that continues elsewhere, end with the same bits."""
    checked = _values(values, name)
    whole, first = (_state(checked, form) for _ in range(2))
    list(training_loop.fit(whole))
    next(training_loop.fit(first))
    resumed = _state(checked, form)
    resumed.load_state_dict(first.state_dict())
    list(training_loop.fit(resumed))
    for key, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[key]), key


@pytest.mark.parametrize(("name", "form"), [("resnet18", GRAY)])
def test_its_files_are_checked_and_loaded(tmp_path, name, form):
    """The graph passes the check of what is loaded, and agrees with the weights."""
    folder = sealed.seal(tmp_path / "m", kind=name, classes=("a", "b", "c"), form=form)
    images = np.random.default_rng(0).integers(0, 256, (4, *form.shape), np.uint8)
    logits = classifier.load(folder).logits(images)
    expected = save_model.logits_from_weights(folder / "weights.pt", images)
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_pretrained_weights_come_from_a_file(values, tmp_path, monkeypatch):
    """The body is taken over, the last layer is new, gray images get the sum over the channels.

    Without the internet, and with the file of another network, the error is one line.
    """
    name, path = "mobilenet_v3_small", tmp_path / "weights.pth"
    published = torchvision_networks.models.get_model(name, weights=None).state_dict()
    torch.save(published, path)
    checked = _values(values, name, pretrained=str(path))
    network = _state(checked, GRAY).network
    own = network.network.state_dict()
    first, last = "features.0.0.weight", "classifier.3.weight"
    assert torch.equal(own[first], published[first].sum(1, keepdim=True))
    assert own[last].shape[0] == 3
    assert all(
        torch.equal(own[k], published[k])
        for k in own
        if k not in {first, last, "classifier.3.bias"}
    )
    white = network.eval()(torch.ones((1, 1, 32, 32)))
    deviation = sum(torchvision_networks.DEVIATION) / 3
    scaled = (1 - sum(torchvision_networks.MEAN) / 3) / deviation
    torch.testing.assert_close(white, network.network(torch.full((1, 1, 32, 32), scaled)))

    with pytest.raises(UserError, match="has not the weights of resnet18"):
        _state(_values(values, "resnet18", pretrained=str(path)), GRAY)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _offline)
    with pytest.raises(UserError, match=r"no pretrained weights.*set model.torchvision.pretrained"):
        _state(_values(values, name, pretrained=True), GRAY)


def _offline(*_, **__):
    raise OSError("no route to host")


def test_images_that_are_too_small_are_an_error(values):
    """It names the network and the size."""
    model = _values(values, "convnext_tiny").model
    with pytest.raises(UserError, match="convnext_tiny cannot take images of 16 pixels"):
        networks.build_network(model, 3, ImageFormat("images", 16, 3))
