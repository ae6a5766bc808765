"""No request is dropped when the service ends or swaps its model under load.

`python -m tests.bench.bench_endure` repeats this more often.
"""

import re

import psutil
import pytest

from tests.service import endure
from tests.service.conftest import request
from tests.service.service import served, workers
from tests.service.test_registry_watcher import eventually


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_drops_no_request(project, workers):
    """Every request that was received gets its whole response; the exit status is 0."""
    responses, dropped, statuses = endure.killed(project, "model", 1, "--workers", workers)

    assert dropped == []
    assert statuses == [0]
    assert responses > 20


def test_model_swaps_under_load_drop_no_request(project, filled):
    """Each model answers in its turn."""
    models = [filled / "model-2", filled / "model-1"]
    names, dropped = endure.swapped(project, models, 3)

    assert dropped == []
    assert set(names) == {"model/local", "model/1", "model/2", "model/3"}


def test_workers_are_one_service_are_replaced_and_end_with_it(project):
    """Their metrics are added up. All may die. None is left when their parent is killed."""
    with served(project, "--model", "model", "--workers", "2") as (process, address):
        for _ in range(20):
            sent = ("POST", "/invocations", endure.BODY)
            assert request(address, *sent, Content_Type="application/json")[0] == 200
        metrics = request(address, "GET", "/metrics")[2].decode()
        assert 'digits_requests_total{route="/invocations",status="200"} 20.0' in metrics
        assert re.search(r'digits_model{[^}]*version="local"} 1.0', metrics)

        dead = workers(process)
        for worker in dead:
            worker.kill()
        assert eventually(lambda: len(set(workers(process)) - set(dead)) == 2)
        assert eventually(lambda: is_healthy(address))

        children = psutil.Process(process.pid).children()
        process.kill()
        assert eventually(lambda: not any(child.is_running() for child in children))
        assert not is_healthy(address)


def is_healthy(address):
    """Whether a service answers at an address and is well."""
    try:
        return request(address, "GET", "/ping")[0] == 200
    except OSError:
        return False
