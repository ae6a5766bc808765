"""No body causes an error of the service: each invalid one gets a 4xx with one sentence."""

import os

from tests.service import endure, fuzz

TIMES = int(os.environ.get("DIGITS_ENDURE", "1"))
GROWTH = 64 * 2**20  # bytes by which the process may grow


def test_generated_requests_cause_no_error(running):
    """Schemathesis generates valid and invalid requests from the OpenAPI document."""
    statuses = fuzz.described(running[1], 200 * TIMES)

    assert [key for key in statuses if str(key) >= "500"] == []
    assert statuses[200] > 5
    assert statuses[400] > 5


def test_damaged_images_cause_no_error(running):
    """In all formats; and the process does not grow."""
    process, address = running
    fuzz.fuzzed(address, 300, seed=1)
    before = endure.memory(process)
    statuses = fuzz.fuzzed(address, 1200 * TIMES)

    assert [key for key in statuses if str(key) >= "500"] == []
    assert statuses[200] > 100
    assert statuses[400] > 100
    assert endure.memory(process) - before < GROWTH
    assert process.poll() is None
