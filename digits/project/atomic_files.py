"""Files that are whole or absent: atomic writes, checksums, manifests, where things are.

Everything is written beside its final place under the name `.<name>.partial`, flushed to
the disk and renamed; a killed writer leaves at most that one file, which the next writer
of the same path replaces.
"""

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digits.project.errors import UserError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path to write a file to; put it in the place of `path` when all went well."""
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # where it is a folder
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; put it in the place of `path` when all went well."""
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
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    write_bytes(path, json_bytes(value))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of equal keys as CSV with a head, whole or not at all."""
    import csv  # `digits --help` needs none

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def json_bytes(value: object) -> bytes:
    """JSON with sorted keys, as `write_json` writes it."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; UserError when it is missing or not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; `dvc repro` makes it") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); `dvc repro` makes it anew") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}, no object; `dvc repro` mends it")
    return value
