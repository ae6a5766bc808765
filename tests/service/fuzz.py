"""Bodies that nobody should send, by the thousand, and what came back."""

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
    """Statuses of so many damaged pictures; one connection."""
    rng, seen = random.Random(seed), Counter()
    pictures = list(_pictures())
    connection = http.client.HTTPConnection(*address, timeout=60)
    for i in range(count):
        path = rng.choice(["/predict", "/predict?pictures=true"])
        body = _damaged(rng, pictures) if rng.random() < 0.9 else rng.randbytes(3000)
        try:
            connection.request("POST", path, body, {"Content-Type": "image/png"})
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
        yield packed(Image.fromarray(pixels), kind)


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
