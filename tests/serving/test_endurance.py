"""Nothing is dropped when the service ends or changes its model under load.

`python -m tests.bench.bench_endure` does more of the same.
"""

import os

import pytest

from tests import sealed
from tests.serving import endure

TIMES = int(os.environ.get("DIGITS_ENDURE", "1"))


@pytest.mark.parametrize(("workers", "times"), [("1", 2 * TIMES), ("2", TIMES)])
def test_sigterm_under_load_drops_no_request(project, workers, times):
    """Every request whose bytes were taken gets its whole answer; the status is 0."""
    answers, dropped, statuses = endure.killed(project, "model", times, "--workers", workers)

    assert dropped == []
    assert statuses == [0] * times
    assert answers > 20 * times


def test_new_models_under_load_drop_no_request(project, tmp_path):
    """Each model answers in its turn, the last one last."""
    models = [project / "model", sealed.seal(tmp_path / "other", seed=1)]
    seen, dropped = endure.swapped(project, models, 4 * TIMES)

    assert dropped == []
    assert set(seen) == {"model/local", *(f"model/{i + 1}" for i in range(4 * TIMES))}
