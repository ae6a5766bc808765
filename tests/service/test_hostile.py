"""No body causes an error of the service: each invalid one gets a 4xx with one sentence."""

from tests.service import endure, fuzz

GROWTH = 32 * 2**20  # bytes by which the process may grow


def test_generated_requests_cause_no_error(running):
    """Schemathesis generates valid and invalid requests from the OpenAPI document."""
    statuses = fuzz.described(running[1], 200)

    assert [key for key in statuses if str(key) >= "500"] == []
    assert statuses[200] > 5
    assert statuses[400] > 5


def test_damaged_images_cause_no_error(running):
    """In all formats; and the process does not grow."""
    process, address = running
    fuzz.fuzzed(address, 200, seed=1)
    before = endure.memory(process)
    statuses = fuzz.fuzzed(address, 600)

    assert [key for key in statuses if str(key) >= "500"] == []
    assert statuses[200] > 60
    assert statuses[400] > 60
    assert endure.memory(process) - before < GROWTH
    assert process.poll() is None
