"""Bodies that nobody should send, by the thousand, and what came back."""

import http.client
import io
import json
import random
from collections import Counter

import hypothesis
import numpy as np
import requests
import schemathesis
from PIL import Image
from schemathesis import GenerationMode

from tests.strokes import page

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
VALUES = (None, True, -1, 256, 1e308, 2**70, "", "1", "\ud800", [], {}, [[]], 0.5, "NaN")
GENERATED = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


def described(address, examples):
    """Statuses of requests made up from the OpenAPI description, right ones and wrong ones."""
    url, seen = "http://{}:{}".format(*address), Counter()
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert operations
    each = max(1, examples // (len(operations) * len(GENERATED)))
    with requests.Session() as session:
        for operation in operations:
            for mode in GENERATED:
                _try(operation.as_strategy(generation_mode=mode), each, url, session, seen)
    return seen


def _try(strategy, examples, url, session, seen):
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.seed(0)
    @hypothesis.given(case=strategy)
    def attempt(case):
        status = case.call(base_url=url, session=session).status_code
        seen[status] += 1
        if status >= 500:
            seen[f"{status} {case.as_curl_command()[:300]}"] += 1

    try:
        attempt()
    except hypothesis.errors.Unsatisfiable:
        return  # there is no wrong request for a path without parameters


def fuzzed(address, count, seed=0):
    """Statuses of so many damaged pictures and twisted numbers; one connection."""
    rng, seen = random.Random(seed), Counter()
    pictures = list(_pictures())
    connection = http.client.HTTPConnection(*address, timeout=60)
    for i in range(count):
        path, kind, body = _hostile(rng, pictures)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
        except (http.client.HTTPException, ConnectionError):
            seen["closed"] += 1
            connection.close()
            continue
        seen[answer.status] += 1
        if answer.status >= 500:
            seen[f"{answer.status} at {i}: {path} {content[:200]!r}"] += 1
        elif answer.status >= 400:
            assert "error" in json.loads(content), content
    connection.close()
    return seen


def _pictures():
    """A page in each format."""
    pixels = page("70", np.random.default_rng(0))[::2, ::2]
    for kind in FORMATS:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind)
        yield file.getvalue()


def _hostile(rng, pictures):
    """A path, a content type and a body."""
    dice = rng.random()
    if dice < 0.7:
        return (
            rng.choice(["/predict", "/predict?pictures=true"]),
            "image/png",
            _damaged(rng, pictures),
        )
    if dice < 0.8:
        return "/predict", "application/octet-stream", rng.randbytes(rng.randrange(3000))
    if dice < 0.9:
        body = json.dumps({rng.choice(["inputs", "instances", "picture"]): _twisted(rng)})
        return rng.choice(["/invocations", "/predict"]), "application/json", body.encode()
    given = {"name": "pictures", "datatype": "UINT8", "shape": [1, 28, 28], "data": _twisted(rng)}
    given[rng.choice(list(given))] = rng.choice(VALUES)
    body = json.dumps({"inputs": [given], "outputs": rng.choice(VALUES), "id": rng.choice(VALUES)})
    return "/v2/models/model/infer", "application/json", body.encode()


def _damaged(rng, pictures):
    """A picture with bytes changed, cut, doubled or moved."""
    body = bytearray(rng.choice(pictures))
    for _ in range(rng.randrange(1, 8)):
        at = min(int(rng.expovariate(1 / 60)), len(body) - 1) if rng.random() < 0.7 else 0
        at = at or rng.randrange(len(body))
        change = rng.randrange(5)
        if change == 0:
            body[at] = rng.randrange(256)
        elif change == 1:
            body[at] ^= 1 << rng.randrange(8)
        elif change == 2:
            body[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"])
        elif change == 3 and at > 20:
            del body[at:]
        else:
            body[at:at] = body[at : at + rng.randrange(1, 400)]
    return bytes(body)


def _twisted(rng):
    """Pictures as numbers with something else in them."""
    numbers = [[[rng.randrange(256)] * 28 for _ in range(28)] for _ in range(rng.randrange(3))]
    place = numbers
    while isinstance(place, list) and place and rng.random() < 0.8:
        parent, at = place, rng.randrange(len(place))
        place = place[at]
        if rng.random() < 0.4:
            parent[at] = rng.choice(VALUES)
    return numbers
