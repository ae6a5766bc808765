"""What a service has to go through without dropping a request, in full.

    python -m tests.bench.bench_endure [kills] [swaps] [bodies]

200 SIGTERMs and 50 new models under load: nothing is dropped. 100,000 hostile bodies: no 5xx,
and the process grows by less than 64 MiB. Takes half an hour.
"""

import sys
import tempfile
from pathlib import Path

from tests import sealed
from tests.service import endure, fuzz
from tests.service.service import served

KILLS, SWAPS, BODIES, DESCRIBED = 200, 50, 100_000, 5_000


def kills(folder):
    """SIGTERM under load: one process, then two workers."""
    for workers, times in (("1", KILLS * 3 // 4), ("2", KILLS // 4)):
        answers, dropped, statuses = endure.killed(folder, "model", times, "--workers", workers)
        told = f"{answers:,} answers, {len(dropped)} dropped, statuses {sorted(set(statuses))}"
        print(f"{times} SIGTERMs, {workers} worker(s): {told}", *dropped[:5], sep="\n", flush=True)


def swaps(folder):
    """New models under load."""
    models = [folder / "model", sealed.seal(folder / "other", seed=1)]
    seen, dropped = endure.swapped(folder, models, SWAPS)
    told = f"{sum(seen.values()):,} answers of {len(seen)} models, {len(dropped)} dropped"
    print(f"{SWAPS} swaps: {told}", *dropped[:5], sep="\n", flush=True)


def bodies(folder):
    """Hostile bodies."""
    with served(folder, "--model", "model") as (process, address):
        fuzz.fuzzed(address, 1000, seed=1)
        before = endure.memory(process)
        made_up = fuzz.described(address, DESCRIBED)
        count = BODIES - sum(n for key, n in made_up.items() if isinstance(key, int))
        damaged = fuzz.fuzzed(address, count)
        grown = (endure.memory(process) - before) / 2**20
        seen = made_up + damaged
        print(f"{BODIES:,} bodies: {dict(seen)}; grown by {grown:.1f} MiB", flush=True)


def main():
    """Do what is named, or everything."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "dvc.yaml").touch()
        sealed.seal(folder / "model")
        for part in (kills, swaps, bodies):
            if part.__name__ in (sys.argv[1:] or ["kills", "swaps", "bodies"]):
                part(folder)


if __name__ == "__main__":
    main()
