"""What it costs to check a model before it is used.

python -m tests.bench.bench_check
"""

import time

from digits.inference import model_integrity
from digits.project import hashing, workspace

REPEATS = 20


def main():
    """Print the time for the model in models/digits, and the part that hashing takes."""
    folder = workspace.checkout_root() / "models/digits"
    model_integrity.check_model(folder)  # imports onnx
    size = sum(path.stat().st_size for path in folder.iterdir())
    whole = best(lambda: model_integrity.check_model(folder))
    hashed = best(lambda: [hashing.file_sha256(path) for path in folder.iterdir()])
    print(f"{size / 1e6:.1f} MB: checked in {1e3 * whole:.1f} ms, {1e3 * hashed:.1f} of it SHA-256")


def best(action):
    """The least seconds that `action` took."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
