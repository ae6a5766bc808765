"""From an image of any size to the network's input."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from digits.preprocessing import image_front
from digits.preprocessing.image_format import ImageFormat
from digits.preprocessing.image_front import GROUND, INPUT, ImageFront

FORMATS = [
    ImageFormat("images", side, channels, fit)
    for side, channels, fit in itertools.product((16, 64), (1, 3), ("pad", "crop"))
]
RNG = np.random.default_rng(5)


def _random(height, width):
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def _photograph(height, width):
    """Return smooth colors, as photographs have."""
    small = Image.fromarray(_random(9, 9))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def _graph(image_format, batch, threads=1, level=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if level is not None:
        options.graph_optimization_level = level
    model = image_front.build_model(image_format).SerializeToString()
    return onnxruntime.InferenceSession(model, options).run(None, {INPUT: batch})[0]


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_image_of_the_right_size_is_unchanged(image_format):
    """Every bit comes out of the graph as it went in; gray ones are repeated over the channels."""
    side = image_format.side
    gray = RNG.integers(0, 256, (3, side, side), np.uint8)
    gray.reshape(3, -1)[:, :256] = np.arange(256)
    repeated = np.repeat(gray[..., None], 3, axis=3)
    images = np.stack([*repeated, _random(side, side)]) if image_format.channels == 3 else repeated
    expected = images if image_format.channels == 3 else gray
    assert np.array_equal(_graph(image_format, images), expected)
    assert all(np.array_equal(ImageFront(image_format).fit(e), e) for e in expected)


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_size_is_fitted(image_format):
    """Extreme shapes give an input of the format, the same as gray pixels without channels."""
    front = ImageFront(image_format)
    for size in ((1, 1), (1, 5000), (5000, 1), (2, 3), (64, 65), (33, 16)):
        fitted = front.fit(_random(*size))
        assert (fitted.shape, fitted.dtype) == (image_format.shape, np.uint8)
    gray = _random(50, 30)[..., 0]
    assert np.array_equal(front.fit(gray), front.fit(np.repeat(gray[..., None], 3, axis=2)))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_and_optimizations_change_nothing(threads):
    """The graph gives equal bits on any number of threads, alone or in a batch."""
    batch = np.stack([_photograph(300, 470), _random(300, 470)])
    off = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for image_format in FORMATS:
        single = np.stack([ImageFront(image_format).fit(image) for image in batch])
        assert np.array_equal(_graph(image_format, batch, threads), single)
        assert np.array_equal(_graph(image_format, batch, threads, off), single)


def test_it_resizes_as_pillow_does():
    """A photograph becomes what Pillow makes of it, padded in the middle or cropped."""
    photograph = _photograph(300, 470)
    pad, crop = (
        ImageFront(ImageFormat("images", 64, 3, fit)).fit(photograph) for fit in ("pad", "crop")
    )
    whole = Image.fromarray(photograph).resize((64, 41), Image.Resampling.BILINEAR)
    assert np.abs(pad[11:52] - np.asarray(whole, int)).max() <= 1
    assert set(pad[:11].flat) | set(pad[52:].flat) == {GROUND}
    middle = Image.fromarray(photograph[:, 85:385]).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.abs(crop - np.asarray(middle, int)).max() <= 1
    gray = ImageFront(ImageFormat("images", 64, 1, "crop")).fit(photograph)
    assert np.abs(gray - np.asarray(middle.convert("L"), int)).max() <= 1


def test_equal_formats_give_equal_graphs():
    """The graph of each format is valid and has bytes of its own."""
    graphs = {f: image_front.build_model(f).SerializeToString(deterministic=True) for f in FORMATS}
    assert len(set(graphs.values())) == len(FORMATS)
    for image_format, graph in graphs.items():
        onnx.checker.check_model(onnx.load_model_from_string(graph), full_check=True)
        assert image_front.build_model(image_format).SerializeToString(deterministic=True) == graph
