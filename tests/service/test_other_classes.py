"""The service of a model of whole images, and of glyphs that are no digits."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from digits.inference import classifier
from digits.preprocessing.image_format import ImageFormat
from digits.preprocessing.image_front import ImageFront
from tests import sealed
from tests.drawing import written
from tests.service import service
from tests.service.conftest import request

CLASSES = ("<b>cat</b>", "dog / wolf", "鳥 $x$")
FORM = ImageFormat("images", 16, 3, "crop")
JSON = {"content_type": "application/json"}


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """The folder of a model of images, and the address of its service."""
    folder = tmp_path_factory.mktemp("pets")
    (folder / "dvc.yaml").touch()
    sealed.seal(folder / "pets", classes=CLASSES, form=FORM)
    with service.served(folder, "--model", "pets") as (_, address):
        yield folder / "pets", address


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_protocol_gives_the_same_answer(pets):
    """A picture of any size, sent as a file or as numbers, is fitted as in training."""
    folder, address = pets
    picture = np.random.default_rng(2).integers(0, 256, (30, 21, 3), np.uint8)
    model = classifier.load(folder)
    logits = model.logits(ImageFront(FORM).fit(picture)[None])
    best = CLASSES[int(logits.argmax())]

    status, _, answer = request(address, "POST", "/predict?top=3", _png(picture))
    assert (status, answer["label"], answer["text"]) == (200, best, best)
    assert answer["boxes"] == [[0, 0, 21, 30]]
    assert [e["label"] for e in answer["top"][0]] == [CLASSES[i] for i in (-logits[0]).argsort()]
    assert not {"digit"} & (set(answer) | set(answer["top"][0][0]))

    body = json.dumps({"inputs": [picture.tolist()]})
    found = request(address, "POST", "/invocations", body, **JSON)[2]["predictions"]["logits"]
    np.testing.assert_allclose(found, logits, atol=1e-4)

    described = request(address, "GET", "/v2/models/pets")[2]
    assert described["inputs"][0]["shape"] == [-1, -1, -1, 3]
    tensor = {"name": "pictures", "datatype": "UINT8", "shape": [1, *picture.shape]}
    content = {"inputs": [{**tensor, "data": picture.ravel().tolist()}]}
    found = request(address, "POST", "/v2/models/pets/infer", json.dumps(content), **JSON)[2]
    np.testing.assert_allclose([found["outputs"][0]["data"]], logits, atol=1e-4)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/predict?several=true", _png(np.zeros((9, 9, 3), np.uint8)), "whole images"),
        ("/invocations", b'{"inputs": [[[1, 2], [3, 4]]]}', "height x width x 3"),
        ("/invocations", b'{"inputs": [[[[1, 2, 256]]]]}', "numbers from 0 to 255"),
        ("/invocations", b'{"inputs": [[]]}', "height x width x 3"),
    ],
    ids=["several", "no colors", "too large a number", "empty"],
)
def test_what_does_not_fit_is_refused(pets, path, body, words):
    """In one sentence, with the status 400."""
    headers = JSON if body.startswith(b"{") else {}
    status, _, answer = request(pets[1], "POST", path, body, **headers)
    assert (status, words in answer["error"]) == (400, True)


def test_feedback_takes_the_classes_alone(pets):
    """A class is stored, whatever its name; another label is refused."""
    folder, address = pets
    picture = base64.b64encode(_png(np.zeros((9, 9, 3), np.uint8))).decode()
    sha256 = classifier.load(folder).manifest["content_sha256"]
    model = {"name": "pets", "version": "local", "sha256": sha256}
    sent = {"picture": picture, "answer": CLASSES[0], "status": "ok", "probability": 0.9}
    for label, status in ((CLASSES[2], 200), (CLASSES[1], 200), ("7", 400), ("dog", 400)):
        body = json.dumps({**sent, "label": label, "model": model})
        assert request(address, "POST", "/feedback", body, **JSON)[0] == status, label


def test_no_page_speaks_of_digits(pets):
    """Names of classes are escaped; "digit" stands in commands and in types alone."""
    for path in ("/", "/model", "/docs"):
        status, _, page = request(pets[1], "GET", path, accept="text/html")
        text = re.sub(r"<(code|pre)\b.*?</\1>|<[^>]*>", " ", page.decode(), flags=re.S)
        text = re.sub(r"such as digits|where the classes are digits|digits \w+|no digit&", "", text)
        assert status == 200
        assert "digit" not in text.lower(), path
        assert "<b>cat</b>" not in page.decode()
        assert "Undo" not in page.decode()


def test_glyphs_that_are_letters_are_read_in_rows(tmp_path):
    """A page of glyphs gives a text of letters with / between rows, and no `digit`."""
    (tmp_path / "dvc.yaml").touch()
    letters = sealed.seal(tmp_path / "abc", classes=tuple("ABC"), form=ImageFormat(side=20))
    model = classifier.load(letters)
    assert model.format == ImageFormat(side=20)
    with service.served(tmp_path, "--model", "abc") as (_, address):
        answer = request(address, "POST", "/predict", written("26/11"))[2]
        page = request(address, "GET", "/")[2].decode()
    assert re.fullmatch(r"[ABC]{2}/[ABC]{2}", answer["text"])
    assert answer["label"] is None
    assert "digit" not in answer
    assert "Draw a glyph here" in page
