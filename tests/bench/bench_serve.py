"""`digits serve` beside `mlflow models serve`: the same model, bodies, clients, computer.

    python -m tests.bench.bench_serve

Needs a registered champion (`make repro`). Bars: at least 5 times the requests per second,
p99 at most a third, and health answers below 50 ms at p99 under ten times the clients.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import orjson

from tests.service.load import get, hammer, post
from tests.service.scoring_server import scoring_server
from tests.service.service import served

ROOT = Path(__file__).parents[2]
CLIENTS, ROUNDS, SECONDS = 16, 3, 5


def measure(pool, address, groups, seconds=SECONDS):
    """What clients see; each group of them is another process."""
    told = [pool.submit(hammer, address, [group], seconds) for group in groups]
    return [seen for process in told for seen in process.result()]


def main():
    """Measure both in turns, then the overload; print the table."""
    picture = np.load(ROOT / "data/splits/validation.npz")["images"][0]
    request = post("/invocations", orjson.dumps({"inputs": [picture.tolist()]}))
    print(f"load average {os.getloadavg()[0]:.1f} before, {os.cpu_count()} processors")
    with (
        ProcessPoolExecutor(2) as pool,
        scoring_server(ROOT) as theirs,
        served(ROOT) as (_, ours),
    ):
        print(f"{'server':22} clients  requests/s  p50 ms  p99 ms")
        rows = {"mlflow models serve": theirs, "digits serve": ours}
        found = {(name, n): [] for n in (1, CLIENTS) for name in rows}
        for _ in range(ROUNDS):
            for (name, n), rounds in found.items():
                (seen,) = measure(pool, rows[name], [(n, request, 0)])
                assert {status for status, _ in seen.seconds} == {200}
                times = seen.times(200)
                numbers = len(times) / SECONDS, np.median(times), np.quantile(times, 0.99)
                rounds.append(numbers)
        medians = {key: np.median(rounds, axis=0) for key, rounds in found.items()}
        for (name, n), (rate, middle, slow) in medians.items():
            print(f"{name:22} {n:7}  {rate:10,.0f}  {middle:6.2f}  {slow:6.2f}")
        theirs_, ours_ = (medians[name, CLIENTS] for name in rows)
        print(f"requests/s: {ours_[0] / theirs_[0]:.1f} times; p99: {ours_[2] / theirs_[2]:.2f}")
        overload(pool, ours, request)


def overload(pool, address, request):
    """Ten times the clients, and somebody who asks for the health every 10 ms."""
    groups = [(10 * CLIENTS, request, 0), (1, get("/health"), 0.01)]
    seen, health = measure(pool, address, groups, 2 * SECONDS)
    answered, shed = len(seen.times(200)), len(seen.times(503))
    print(
        f"{10 * CLIENTS} clients: {answered / 2 / SECONDS:,.0f} answers/s, p99 "
        f"{np.quantile(seen.times(200), 0.99):.1f} ms; {shed:,} were told to come back; "
        f"health p99 {np.quantile(health.times(200), 0.99):.1f} ms of {len(health.seconds)}"
    )


if __name__ == "__main__":
    main()
