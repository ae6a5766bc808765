"""Shutdowns and model swaps under load. Tests do a few of them, the benchmark many."""

import json
import random
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from digits.project import atomic_files
from tests.service import service
from tests.service.load import hammer, post
from tests.service.service import served

BODY = json.dumps({"inputs": [[[0] * 28] * 28]}).encode()
CLIENTS = [(16, post("/invocations", BODY), 0)]


def killed(folder, model, times, *options, seed=0):
    """Send SIGTERM under load, `times` times.

    Returns the number of responses, the dropped requests, and the exit statuses.
    """
    rng, responses, dropped, statuses = random.Random(seed), 0, [], []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(times):
            with served(folder, "--model", model, *options) as (process, address):
                load = pool.submit(hammer, address, CLIENTS, 60)
                time.sleep(rng.uniform(0.3, 0.8))
                process.send_signal(signal.SIGTERM)
                statuses.append(process.wait(60))
                (traffic,) = load.result()
            responses += len(traffic.times(200))
            dropped += traffic.failures
    return responses, dropped, statuses


def swapped(folder, models, times):
    """Swap the model under load, `times` times. Returns the models that answered, and failures.

    The state file is written here, in place of the process that follows the registry.
    """
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
        copy = shutil.copytree(models[0], Path(scratch) / "model")
        environment = {"TMPDIR": scratch}
        with served(folder, "--model", str(copy), environment=environment) as (_, address):
            (state,) = Path(scratch).glob("*-digits/model.json")
            load = pool.submit(hammer, address, CLIENTS, 0.8 * times + 2)
            time.sleep(0.5)
            for i in range(1, times + 1):
                model = models[i % len(models)]
                content = atomic_files.read_json(model / "manifest.json")["content_sha256"]
                changes = {"folder": str(model), "version": str(i), "content": content}
                atomic_files.write_json(state, atomic_files.read_json(state) | changes)
                time.sleep(0.8)
            (traffic,) = load.result()
    return traffic.models, traffic.failures


def memory(process):
    """Bytes of RAM that the workers of a service hold."""
    return sum(worker.memory_info().rss for worker in service.workers(process))
