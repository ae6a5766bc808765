"""Kill `register`, `promote`, `rollback`, `prune`, `pull` and `send` at each of their changes.

Each is killed once before each file that it opens for writing, renames or removes, and before
each commit; then the same command has to end as if undisturbed. Takes some minutes.

python -m tests.bench.bench_kills [COMMAND]
"""

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["DIGITS_KILLS"] = "100000"
    only = ["-k", sys.argv[1]] if len(sys.argv) > 1 else []
    sys.exit(pytest.main(["-s", "--timeout=3600", "tests/registry/test_kills.py", *only]))
