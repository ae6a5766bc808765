"""Nothing is dropped when the service ends or changes its model under load.

`python -m tests.bench.bench_endure` does more of the same.
"""

import os
import signal

import psutil
import pytest

from tests import sealed
from tests.service import endure
from tests.service.conftest import request
from tests.service.service import served, workers
from tests.service.test_registry_watcher import eventually

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


def test_a_worker_that_dies_is_replaced(project):
    """Also the only one."""
    with served(project, "--model", "model") as (process, address):
        (worker,) = workers(process)
        worker.kill()
        assert eventually(lambda: worker.pid not in [new.pid for new in workers(process)] != [])
        assert eventually(lambda: answers(address))
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def answers(address):
    """Whether somebody listens there and is well."""
    try:
        return request(address, "GET", "/ping")[0] == 200
    except OSError:
        return False


def test_a_parent_that_is_killed_leaves_nobody(project):
    """Its workers end by themselves."""
    with served(project, "--model", "model") as (process, address):
        found = [*workers(process), *psutil.Process(process.pid).children()]
        process.kill()
        assert eventually(lambda: not any(child.is_running() for child in found))
        assert not answers(address)
