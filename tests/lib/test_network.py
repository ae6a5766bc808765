"""Networks and their exported form."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from stages.lib import network, params
from stages.lib.network import Dropout, Exported, build, export_onnx, normalise, parameter_count


@pytest.fixture(params=[("mlp", 1), ("cnn", 1), ("cnn", 2)], ids=["mlp", "cnn", "committee"])
def model(request, values):
    """Every kind of model, small."""
    values["model"]["kind"], values["model"]["members"] = request.param
    return params.check(values, "test").model


@pytest.fixture
def trained(model):
    """A network whose batch normalisation has seen pictures, ready to be used."""
    torch.manual_seed(0)
    made = build(model, 10)
    made(torch.randn((64, 1, 28, 28)))
    return made.eval()


@pytest.fixture
def bytes_of_pictures():
    """Seven random pictures."""
    return np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)


def test_normalise_maps_bytes_to_minus_one_to_one():
    """Background becomes -1, full ink 1, and a channel is added."""
    pictures = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1).expand(2, 28, 28)
    made = normalise(pictures)
    assert made.shape == (2, 1, 28, 28)
    assert (made[0].unique().item(), made[1].unique().item()) == (-1.0, 1.0)


def test_a_network_gives_a_logit_per_class(model):
    """Any number of classes can be asked for."""
    assert build(model, 7).eval()(torch.zeros((3, 1, 28, 28))).shape == (3, 7)


def test_the_global_seed_decides_the_weights(model):
    """Equal seeds build equal networks."""
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([p.flatten() for p in build(model, 10).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_an_mlp_has_the_parameters_it_says(values):
    """784 -> 512 -> 10 without batch normalisation is 407,050 numbers."""
    values["model"]["mlp"] |= {"hidden": [512], "batch_norm": False, "dropout": 0.0}
    assert parameter_count(build(params.check(values, "test").model, 10)) == 407_050


def test_dropout_is_there_when_asked_for(values):
    """A share above 0 adds a layer after each hidden one, 0 adds none."""
    for share, count in ((0.0, 0), (0.2, 2)):
        values["model"]["mlp"] |= {"hidden": [8, 8], "dropout": share}
        layers = build(params.check(values, "test").model, 10).modules()
        assert sum(isinstance(layer, Dropout) for layer in layers) == count


def test_a_committee_predicts_the_mean_of_its_members(values):
    """Its members differ; in training each answers for itself."""
    values["model"]["members"] = 3
    made = build(params.check(values, "test").model, 10)
    pictures = torch.randn((64, 1, 28, 28))
    each = torch.stack([member(pictures) for member in made.members], 2)
    assert torch.equal(made(pictures), each)
    assert len(torch.unique(each[0, 0])) == 3

    made.eval()
    each = torch.stack([member(pictures) for member in made.members])
    torch.testing.assert_close(made(pictures), each.mean(0))


def test_weights_load_without_pickle(model, tmp_path):
    """A state dict survives torch.save and torch.load(weights_only=True)."""
    ours, theirs = build(model, 10), build(model, 10)
    torch.save(ours.state_dict(), tmp_path / "w.pt")
    theirs.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    assert all(
        torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )


def test_onnx_says_what_torch_says(trained, bytes_of_pictures, tmp_path):
    """The exported file gives the calibrated logits for raw bytes, in any batch size."""
    path = tmp_path / "m.onnx"
    export_onnx(trained, 0.5, {}, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = Exported(trained, 0.5)(torch.from_numpy(bytes_of_pictures)).numpy()
    for count in (1, 2, 7):
        found = session.run(["logits"], {"pictures": bytes_of_pictures[:count]})[0]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)


def test_the_temperature_divides_the_logits(trained, bytes_of_pictures):
    """A temperature of 2 halves every logit."""
    pictures = torch.from_numpy(bytes_of_pictures)
    with torch.inference_mode():
        whole, half = (Exported(trained, t)(pictures) for t in (1.0, 2.0))
    torch.testing.assert_close(whole / 2, half)


def test_onnx_bytes_depend_on_the_weights_alone(trained, tmp_path, monkeypatch):
    """Exports from different folders are the same file, and tell nothing of either."""
    written = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        export_onnx(trained, 0.5, {"b": "2", "a": "1"}, tmp_path / name / "m.onnx")
        written.append((tmp_path / name / "m.onnx").read_bytes())
    assert written[0] == written[1]
    assert b".py" not in written[0]
    assert str(tmp_path).encode() not in written[0]


def test_onnx_carries_the_description(trained, tmp_path):
    """What is said of a model travels in its file, in sorted order."""
    export_onnx(trained, 1.0, {"b": "2", "a": "1"}, tmp_path / "m.onnx")
    found = [(e.key, e.value) for e in onnx.load(tmp_path / "m.onnx").metadata_props]
    assert found == [("a", "1"), ("b", "2")]


def test_exporting_leaves_the_network_as_it_was(trained, tmp_path):
    """An export changes no weight, so a network can be exported and trained on."""
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    network.export_onnx(trained, 1.0, {}, tmp_path / "m.onnx")
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.state_dict().items())


def test_views_average_the_shifted_copies() -> None:
    """One view is the network itself; nine see a picture moved by a pixel almost alike."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    picture = torch.full((1, 1, 28, 28), -1.0)
    picture[:, :, 10:18, 10:18] = 1.0
    moved = picture.roll(1, dims=2)

    assert torch.equal(network.Views(plain, 1)(picture), plain(picture))
    nine = network.Views(plain, 9)
    shifted = [picture.roll((y, x), (2, 3)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    mean = torch.stack([plain(p) for p in shifted]).mean(0)
    assert torch.allclose(nine(picture), mean, atol=1e-5)
    gap = (nine(moved) - nine(picture)).abs().max()
    assert gap < (plain(moved) - plain(picture)).abs().max()
