"""Networks and their exported form."""

import numpy as np
import pytest
import torch
from torch import nn

from digits.inference import classifier
from digits.project import params_file
from digits.training.networks import TestTimeAugmentation, build_network, normalize_images
from digits.training.onnx_export import export_onnx


@pytest.fixture(params=[("mlp", 1), ("cnn", 1), ("cnn", 2)], ids=["mlp", "cnn", "committee"])
def model(request, values):
    """Every kind of model, small."""
    values["model"]["kind"], values["model"]["members"] = request.param
    return params_file.check_params(values, "test").model


@pytest.fixture
def trained(model):
    """A network whose batch normalisation has seen pictures, ready to be used."""
    torch.manual_seed(0)
    made = build_network(model, 10)
    made(torch.randn((64, 1, 28, 28)))
    return made.eval()


@pytest.fixture
def bytes_of_pictures():
    """Seven random pictures."""
    return np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)


def test_a_committee_predicts_the_mean_of_its_members(values):
    """Its members differ; in training each answers for itself."""
    values["model"]["members"] = 3
    made = build_network(params_file.check_params(values, "test").model, 10)
    pictures = torch.randn((64, 1, 28, 28))
    each = torch.stack([member(pictures) for member in made.members], 2)
    assert torch.equal(made(pictures), each)
    assert len(torch.unique(each[0, 0])) == 3

    made.eval()
    each = torch.stack([member(pictures) for member in made.members])
    torch.testing.assert_close(made(pictures), each.mean(0))


def test_onnx_says_what_torch_says(trained, bytes_of_pictures, tmp_path, monkeypatch):
    """The file gives the calibrated logits for raw bytes, in any batch size.

    Its bytes depend on the weights and the description alone, which it carries: exports from
    different folders are the same file, and tell nothing of either.
    """
    paths = [tmp_path / name / "m.onnx" for name in ("here", "there")]
    for path in paths:
        path.parent.mkdir()
        monkeypatch.chdir(path.parent)
        export_onnx(trained, 0.5, {"b": "2", "a": "1"}, path)

    with torch.inference_mode():
        expected = trained(normalize_images(torch.from_numpy(bytes_of_pictures))).numpy() / 0.5
    session = classifier.session(paths[0])
    for count in (1, 2, 7):
        found = session.run(["logits"], {"pictures": bytes_of_pictures[:count]})[0]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)
    content = paths[0].read_bytes()
    assert content == paths[1].read_bytes()
    assert b".py" not in content
    assert str(tmp_path).encode() not in content
    assert session.get_modelmeta().custom_metadata_map == {"a": "1", "b": "2"}


def test_views_average_the_shifted_copies() -> None:
    """One view is the network itself; nine are the mean over a picture moved by a pixel."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    picture = torch.full((1, 1, 28, 28), -1.0)
    picture[:, :, 10:18, 10:18] = 1.0

    assert torch.equal(TestTimeAugmentation(plain, 1)(picture), plain(picture))
    shifted = [picture.roll((y, x), (2, 3)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    mean = torch.stack([plain(p) for p in shifted]).mean(0)
    assert torch.allclose(TestTimeAugmentation(plain, 9)(picture), mean, atol=1e-5)
