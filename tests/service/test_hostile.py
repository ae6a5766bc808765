"""Whatever is in a body: a 4xx with one sentence, never an error of the service."""

import os

from tests.service import endure, fuzz

TIMES = int(os.environ.get("DIGITS_ENDURE", "1"))
GROWTH = 64 * 2**20  # bytes that the process may grow by


def test_requests_made_up_from_the_description(running):
    """Right and wrong ones, by Schemathesis."""
    seen = fuzz.described(running[1], 200 * TIMES)

    assert [key for key in seen if str(key) >= "500"] == []
    assert seen[200] > 5
    assert seen[400] > 5


def test_damaged_pictures(running):
    """All formats; the process does not grow."""
    process, address = running
    fuzz.fuzzed(address, 300, seed=1)
    before = endure.memory(process)
    seen = fuzz.fuzzed(address, 1200 * TIMES)

    assert [key for key in seen if str(key) >= "500"] == []
    assert seen[200] > 100
    assert seen[400] > 100
    assert endure.memory(process) - before < GROWTH
    assert process.poll() is None
