"""Write files and folders so that they are complete or absent; read JSON files.

Everything is written next to its target under the name `.<name>.partial`, flushed to the disk
and renamed. A killed writer leaves at most that one file, which the next writer of the same path
replaces. Hashes of files are in `hashing`.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digits.project.errors import UserError

# What to do where git has written both sides of a merge into a file.
MERGE_CONFLICT = "take one side with `git checkout --ours` or `--theirs`, then run `dvc repro`"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to; rename it to `path` when the block succeeds."""
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk has no file name
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # if it is a folder
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; rename it to `path` when the block succeeds."""
    old = path.with_name(f".{path.name}.old")
    with atomic_file(path) as partial:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        for file in sorted(partial.rglob("*")):
            _flush(file)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk."""
    if sys.platform == "win32":  # can flush neither folders nor what is open for reading only
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, complete or not at all."""
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, complete or not at all."""
    write_bytes(path, json_bytes(value))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of equal keys as CSV below a header, complete or not at all."""
    import csv  # not needed by `digits --help`

    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def json_bytes(value: object) -> bytes:
    """Format a value as JSON with sorted keys, the bytes that `write_json` writes."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises UserError when the file is missing or holds something else."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; `dvc repro` makes it") from error
    except (ValueError, RecursionError) as error:
        advice = MERGE_CONFLICT if "<<<<<<< " in text else "`dvc repro` makes it"
        raise UserError(f"{path} is not valid JSON ({error}); {advice}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}, no object; `dvc repro` makes it")
    return value
