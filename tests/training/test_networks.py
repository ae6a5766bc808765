"""Networks, and their ONNX form."""

import numpy as np
import pytest
import torch
from torch import nn

from digits.inference import classifier
from digits.project import params_file
from digits.training import networks
from digits.training.networks import build_network, normalize_images
from digits.training.onnx_export import export_onnx


@pytest.fixture(params=[("mlp", 1), ("cnn", 2)], ids=["mlp", "committee of cnn"])
def network(request, values):
    """A network with running statistics, in evaluation mode."""
    values["model"]["kind"], values["model"]["members"] = request.param
    torch.manual_seed(0)
    network = build_network(params_file.check_params(values, "test").model, 10)
    network(torch.randn((64, 1, 28, 28)))
    return network.eval()


def test_a_committee_predicts_the_mean_of_its_members(values):
    """Its members differ; in training mode it returns the logits of each."""
    values["model"]["members"] = 3
    committee = build_network(params_file.check_params(values, "test").model, 10)
    inputs = torch.randn((64, 1, 28, 28))
    each = torch.stack([member(inputs) for member in committee.members], 2)
    assert torch.equal(committee(inputs), each)
    assert len(torch.unique(each[0, 0])) == 3

    committee.eval()
    each = torch.stack([member(inputs) for member in committee.members])
    torch.testing.assert_close(committee(inputs), each.mean(0))


def test_the_onnx_form_agrees_with_torch(network, pictures, tmp_path, monkeypatch):
    """The file maps raw bytes to the calibrated logits, in any batch size.

    Its bytes depend on the weights and the description alone: exports from different folders
    are equal, and contain no path.
    """
    paths = [tmp_path / name / "m.onnx" for name in ("here", "there")]
    for path in paths:
        path.parent.mkdir()
        monkeypatch.chdir(path.parent)
        export_onnx(network, 0.5, {"b": "2", "a": "1"}, path)

    images = pictures.images
    with torch.inference_mode():
        expected = network(normalize_images(torch.from_numpy(images))).numpy() / 0.5
    session = classifier.session(paths[0])
    for count in (1, 2, 10):
        logits = session.run(["logits"], {"pictures": images[:count]})[0]
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected[:count], atol=1e-4)
    content = paths[0].read_bytes()
    assert content == paths[1].read_bytes()
    assert b".py" not in content
    assert str(tmp_path).encode() not in content
    assert session.get_modelmeta().custom_metadata_map == {"a": "1", "b": "2"}


def test_views_average_the_shifted_copies():
    """One view is the network itself; nine are the mean over an image moved by a pixel."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    image = torch.full((1, 1, 28, 28), -1.0)
    image[:, :, 10:18, 10:18] = 1.0

    assert torch.equal(networks.TestTimeAugmentation(plain, 1)(image), plain(image))
    shifted = [image.roll((y, x), (2, 3)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    mean = torch.stack([plain(shift) for shift in shifted]).mean(0)
    assert torch.allclose(networks.TestTimeAugmentation(plain, 9)(image), mean, atol=1e-5)
