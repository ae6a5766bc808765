"""Thousands of invalid requests, and the statuses of the responses."""

import http.client
import json
import random
from collections import Counter

import hypothesis
import numpy as np
import requests
import schemathesis
from PIL import Image
from schemathesis import GenerationMode

from tests.strokes import packed, page

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
GENERATED = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


def described(address, examples):
    """Send requests generated from the OpenAPI document, valid and invalid; count statuses."""
    url, statuses = "http://{}:{}".format(*address), Counter()
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert operations
    each = max(1, examples // (len(operations) * len(GENERATED)))
    with requests.Session() as session:
        for operation in operations:
            # a path without a body has no invalid requests: looking for some takes seconds
            for mode in GENERATED if operation.body else GENERATED[:1]:
                _send(operation.as_strategy(generation_mode=mode), each, url, session, statuses)
    return statuses


def _send(strategy, examples, url, session, statuses):
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
        statuses[status] += 1
        if status >= 500:
            statuses[f"{status} {case.as_curl_command()[:300]}"] += 1

    attempt()


def fuzzed(address, count, seed=0):
    """Send `count` damaged images over one connection; count statuses."""
    rng, statuses = random.Random(seed), Counter()
    images = list(_images())
    connection = http.client.HTTPConnection(*address, timeout=60)
    for i in range(count):
        path = rng.choice(["/predict", "/predict?pictures=true"])
        body = _damaged(rng, images) if rng.random() < 0.9 else rng.randbytes(3000)
        try:
            connection.request("POST", path, body, {"Content-Type": "image/png"})
            response = connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, ConnectionError):
            statuses["closed"] += 1
            connection.close()
            continue
        statuses[response.status] += 1
        if response.status >= 500:
            statuses[f"{response.status} at {i}: {path} {content[:200]!r}"] += 1
        elif response.status >= 400:
            assert "error" in json.loads(content), content
    connection.close()
    return statuses


def _images():
    """A page in each format."""
    pixels = page("70", np.random.default_rng(0))[::2, ::2]
    for kind in FORMATS:
        yield packed(Image.fromarray(pixels), kind)


def _damaged(rng, images):
    """An image with bytes changed, cut, doubled or moved."""
    body = bytearray(rng.choice(images))
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
