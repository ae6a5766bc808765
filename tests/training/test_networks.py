"""Networks, and their ONNX form."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from digits.inference import classifier, onnx_check
from digits.preprocessing import image_front
from digits.preprocessing.image_decoding import WORKING_PIXELS
from digits.preprocessing.image_format import ImageFormat
from digits.preprocessing.image_front import ImageFront
from digits.project import params_file
from digits.project.errors import UserError
from digits.training import save_model
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
