"""`from digits import load_model`: models and predictions for other programs."""

import ast
import io
import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import digits
from digits.inference import classifier
from digits.service.json_logs import JsonLogHandler
from tests.cli.test_main import run
from tests.strokes import page


@pytest.fixture(scope="module")
def model(reader):
    """A model that reads well, loaded from its folder."""
    return digits.load_model(reader, threads=1)


@pytest.fixture
def seven(tmp_path, monkeypatch):
    """The image of a seven in the working directory, which is no checkout."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(page("7", np.random.default_rng(0))).save("seven.png")
    return Path("seven.png")


def test_the_import_loads_no_other_module():
    """Neither numpy nor ONNX Runtime nor MLflow, until a name is used; each name has its type."""
    code = "import sys; before = {*sys.modules}; import digits; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "digits\n", done.stderr

    stub = ast.parse(Path(digits.__file__).with_suffix(".pyi").read_text())
    (imported,) = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    assert sorted(alias.name for alias in imported.names) == sorted(digits.__all__)
    assert all(hasattr(digits, name) for name in digits.__all__)
    assert not hasattr(digits, "load")


def test_an_image_is_read_as_the_command_reads_it(model, seven, reader, capsys):
    """From its path, its bytes and an open file alike."""
    assert run("predict", seven, "--model", reader, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    images = [seven, str(seven), seven.read_bytes(), io.BytesIO(seven.read_bytes())]
    for answer in map(model.read, images):
        assert (answer.text, answer.digits, answer.status) == ("7", ["7"], row["status"])
        assert round(answer.probability, 6) == row["probability"]
        assert answer.boxes.tolist() == row["boxes"]
        assert answer.doubtful.tolist() == row["doubtful"]
        assert answer.probabilities.shape == (1, len(model.classes))

    assert model.read(seven, several=False).digits == ["7"]
    content = classifier.load(reader).manifest["content_sha256"]
    assert (model.name, model.version, model.content_sha256) == (str(reader), None, content)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("nowhere.png", "nowhere.png: no such file or folder"),
        (b"hello", "image: not an image"),
        (io.BytesIO(), "image: an empty file"),
    ],
)
def test_an_unreadable_image_is_one_line(model, image, words):
    """An error instead of a prediction."""
    with pytest.raises(digits.UserError, match=f"^{words}[^\n]*$"):
        model.read(image)


def test_arrays_are_predicted_as_they_are(model, reader, official):
    """Probabilities in the order of the classes; another shape or type is an error."""
    images = official.images[54000:54200]
    probabilities = model.predict(images)

    assert (probabilities.dtype, probabilities.shape) == (np.float32, (200, 10))
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (probabilities.argmax(1) == official.labels[54000:54200]).mean() > 0.95
    assert model.predict(images[:0]).shape == (0, 10)
    for wrong in (images[0], images / 255, images.reshape(-1, 784), images[..., None]):
        with pytest.raises(digits.UserError, match=r"expected uint8 \[n, 28, 28\]"):
            model.predict(wrong)


def test_threads_may_share_a_model(model):
    """Four threads at once read what one reads."""
    texts = [str(n) for n in range(10, 18)]
    images = [io.BytesIO() for _ in texts]
    for text, file in zip(texts, images, strict=True):
        Image.fromarray(page(text, np.random.default_rng(1))).save(file, "PNG")
    expected = [model.read(file.getvalue()).text for file in images]
    start = threading.Barrier(4)

    def read(number):
        start.wait(30)
        return model.read(images[number].getvalue()).text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(8))) == expected
    assert len(set(expected)) > 5


def test_a_version_is_loaded_anywhere_and_nothing_is_printed(versions, monkeypatch, capfd, caplog):
    """The registry's address is enough. What a command would print is logged."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{versions}/mlflow.db")
    monkeypatch.setenv("XDG_CACHE_HOME", str(versions / "cache"))
    monkeypatch.chdir("/")
    others = [h for h in logging.root.handlers if not isinstance(h, JsonLogHandler)]
    monkeypatch.setattr(logging.root, "handlers", others)  # of a service in this process
    with caplog.at_level(logging.WARNING, "digits"):
        first = digits.load_model("champion")
        again = digits.load_model("champion", max_age=3600)

    assert (first.name, first.version, len(first.content_sha256)) == ("digits-2", 2, 64)
    assert again.content_sha256 == first.content_sha256
    assert capfd.readouterr() == ("", "")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("digits", "WARNING")
    assert "champion is digits-2 as of " in record.message
    with pytest.raises(digits.UserError, match=r"^'nobody' is no file"):
        digits.load_model("nobody")
