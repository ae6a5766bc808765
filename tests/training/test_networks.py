"""Networks, and their ONNX form."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from digits.inference import classifier, onnx_check
from digits.preprocessing import image_front
from digits.preprocessing.image_decoding import WORKING_PIXELS
from digits.preprocessing.image_format import ImageFormat
from digits.preprocessing.image_front import ImageFront
from digits.project import params_file
from digits.project.errors import UserError
from digits.project.params_schema import ModelParams
from digits.training import networks, save_model
from digits.training.networks import build_network, normalize_images
from digits.training.onnx_export import export_onnx
from tests import sealed


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


@pytest.mark.parametrize("light", ["black", "bright", "sloping", "striped", "faint", "noisy"])
def test_only_the_ink_of_a_glyph_is_left_whatever_its_background(official, light):
    """Light that is added, a stripe that swaps black and white, less contrast, specks."""
    glyphs = torch.from_numpy(official.images[:50]).float().unsqueeze(1) / 255
    slope = torch.linspace(0, 0.7, 28)
    stripe = torch.zeros(28)
    stripe[10:18] = 1
    specks = torch.zeros(1, 1, 28, 28)
    specks[..., 1::5, 2::5] = 1
    changed = {
        "black": glyphs,
        "bright": (glyphs + 0.4).clamp(max=1),
        "sloping": slope + (1 - slope) * glyphs,
        "striped": (stripe - glyphs).abs(),
        "faint": glyphs * 0.3,
        "noisy": torch.maximum(glyphs, specks * (glyphs == 0)),
    }[light]
    removal = networks.BackgroundRemoval(28)

    restored = (removal(changed * 2 - 1) + 1) / 2
    before, after = ((image - glyphs).abs().mean((1, 2, 3)) for image in (changed, restored))
    assert restored.min() == 0
    assert after.mean() < 0.015 + 0.1 * before.mean()


def test_an_image_of_one_shade_has_no_ink():
    """Black, gray and white."""
    images = torch.tensor([-1.0, 0.1, 1.0]).view(3, 1, 1, 1).expand(3, 1, 16, 16)
    assert torch.equal(networks.BackgroundRemoval(16)(images), torch.full((3, 1, 16, 16), -1.0))


def test_older_models_keep_the_background(tmp_path):
    """Their description says nothing of it, and their logits are those of the network alone."""
    path = sealed.seal(tmp_path / "m") / "weights.pt"
    saved = torch.load(path, weights_only=True)
    images = np.full((1, 28, 28), 100, np.uint8)
    images[:, 8:20, 12:15] = 200
    del saved["normalisation"]["background"]
    torch.save(saved, tmp_path / "old.pt")

    now, before = (save_model.logits_from_weights(p, images) for p in (path, tmp_path / "old.pt"))
    network = build_network(
        ModelParams.model_validate({**saved["network"], "torchvision": save_model.NOT_USED}), 10
    ).eval()
    network.load_state_dict(saved["weights"])
    with torch.inference_mode():
        alone = network(normalize_images(torch.from_numpy(images))).numpy() / saved["temperature"]
    np.testing.assert_allclose(before, alone, atol=1e-5)
    assert np.abs(now - alone).max() > 0.01


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


@pytest.mark.parametrize(
    ("kind", "views", "form"),
    [("mlp", 1, ImageFormat("images", 16, 3)), ("cnn", 5, ImageFormat("images", 62, 1, "crop"))],
    ids=["mlp, color, padded", "cnn, gray, cropped"],
)
def test_an_exported_model_takes_images_of_any_size(tmp_path, kind, views, form):
    """A picture gives the logits of torch for what the front makes of it, alone or in a batch."""
    folder = sealed.seal(tmp_path / "m", kind=kind, views=views, classes=("a/b", "c"), form=form)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 50, 40, 3), np.uint8)
    fitted = np.stack([ImageFront(form).fit(picture) for picture in pictures])
    expected = save_model.logits_from_weights(folder / "weights.pt", fitted)
    model = classifier.load(folder)
    assert (model.classes, model.format) == (["a/b", "c"], form)
    np.testing.assert_allclose(model.logits(fitted), expected, atol=1e-4)
    for group in (pictures, pictures[:1]):
        logits = model.session.run(None, {"pictures": group})[0]
        np.testing.assert_allclose(logits, expected[: len(group)], atol=1e-4)


def test_a_model_with_another_front_is_refused(tmp_path):
    """The way from a picture to the network's input must be exactly this project's."""
    form = ImageFormat("images", 16, 3)
    path = sealed.seal(tmp_path / "m", classes=("a/b", "c"), form=form) / "model.onnx"
    changes = {
        "another constant": lambda graph: graph.initializer[-1].ClearField("raw_data"),
        "another order": lambda graph: graph.node[0].attribute[0].ints.reverse(),
        "another input": lambda graph: graph.input[0].type.tensor_type.shape.Clear(),
        "a hidden way around": lambda graph: graph.node[-1].input.append("front_planes"),
    }
    for name, change in changes.items():
        model = onnx.load(path)
        change(model.graph)
        other = tmp_path / "other.onnx"
        onnx.save(model, other)
        with pytest.raises(UserError, match="is no ONNX model"):
            onnx_check.read_onnx_metadata(other)
        assert name


def test_the_front_has_a_bounded_cost():
    """No value in it is larger than the decoder's largest image, whatever its shape."""
    for shape in ((1, WORKING_PIXELS), (WORKING_PIXELS, 1), (1000, WORKING_PIXELS // 1000)):
        for fit in ("pad", "crop"):
            model = image_front.build_model(ImageFormat("images", 224, 3, fit))
            for node in model.graph.node:
                model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
            session = onnxruntime.InferenceSession(model.SerializeToString())
            values = session.run(None, {"pictures": np.zeros((1, *shape, 3), np.uint8)})
            assert max(value.size for value in values) <= 3 * WORKING_PIXELS
            assert 3 * WORKING_PIXELS <= onnx_check.MAX_VALUES
