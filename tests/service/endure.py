"""What a service goes through under load; tests do a little of it, the benchmark all."""

import json
import random
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.service import service
from tests.service.load import hammer, post
from tests.service.service import served

PICTURE = json.dumps({"inputs": [[[0] * 28] * 28]}).encode()
REQUEST = post("/invocations", PICTURE)
CLIENTS = 16


def killed(folder, model, times, *options, seed=0):
    """SIGTERM under load, `times` times. Returns (answers, dropped requests, exit statuses)."""
    rng, answers, dropped, statuses = random.Random(seed), 0, [], []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(times):
            with served(folder, "--model", model, *options) as (process, address):
                load = pool.submit(hammer, address, [(CLIENTS, REQUEST, 0)], 60)
                time.sleep(rng.uniform(0.3, 0.8))
                process.send_signal(signal.SIGTERM)
                statuses.append(process.wait(60))
                (seen,) = load.result()
            answers += len(seen.times(200))
            dropped += [*seen.dropped, *(f"status {s}" for s, _ in seen.seconds if s != 200)]
    return answers, dropped, statuses


def swapped(folder, models, times):
    """Models taken up under load, `times` times. Returns (models that answered, dropped).

    What the follower of the registry would write is written here, as often as wanted.
    """
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
        link = Path(scratch) / "model"
        shutil.copytree(models[0], link)
        environment = {"TMPDIR": scratch}
        with served(folder, "--model", str(link), environment=environment) as (_, address):
            (state,) = Path(scratch).glob("*-digits/model.json")
            seconds = 0.8 * times + 2
            load = pool.submit(hammer, address, [(CLIENTS, REQUEST, 0)], seconds)
            time.sleep(0.5)
            for i in range(1, times + 1):
                told = json.loads(state.read_text())
                model = models[i % len(models)]
                manifest = json.loads((model / "manifest.json").read_text())
                told |= {"folder": str(model), "version": str(i)}
                told["content"] = manifest["content_sha256"]
                partial = state.with_suffix(".partial")
                partial.write_text(json.dumps(told))
                partial.replace(state)
                time.sleep(0.8)
            (seen,) = load.result()
    dropped = [*seen.dropped, *(f"status {s}" for s, _ in seen.seconds if s != 200)]
    return seen.models, dropped


def memory(process):
    """Bytes of RAM that a service's workers hold alone or shared."""
    return sum(worker.memory_info().rss for worker in service.workers(process))
