"""No request is dropped when the service ends or swaps its model under load.

`python -m tests.bench.bench_endure` repeats this more often.
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
    """Every request that was received gets its whole response; the exit status is 0."""
    responses, dropped, statuses = endure.killed(project, "model", times, "--workers", workers)

    assert dropped == []
    assert statuses == [0] * times
    assert responses > 20 * times


def test_model_swaps_under_load_drop_no_request(project, tmp_path):
    """Each model answers in its turn."""
    models = [project / "model", sealed.seal(tmp_path / "other", seed=1)]
    names, dropped = endure.swapped(project, models, 4 * TIMES)

    assert dropped == []
    assert set(names) == {"model/local", *(f"model/{i + 1}" for i in range(4 * TIMES))}


def test_a_worker_that_dies_is_replaced(project):
    """Even if it is the only one."""
    with served(project, "--model", "model") as (process, address):
        (worker,) = workers(process)
        worker.kill()
        assert eventually(lambda: worker.pid not in [new.pid for new in workers(process)] != [])
        assert eventually(lambda: is_healthy(address))
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def is_healthy(address):
    """Whether a service answers at an address and is well."""
    try:
        return request(address, "GET", "/ping")[0] == 200
    except OSError:
        return False


def test_workers_end_when_their_parent_is_killed(project):
    """No process of the service is left."""
    with served(project, "--model", "model") as (process, address):
        children = [*workers(process), *psutil.Process(process.pid).children()]
        process.kill()
        assert eventually(lambda: not any(child.is_running() for child in children))
        assert not is_healthy(address)
