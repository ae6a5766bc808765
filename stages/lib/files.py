"""Files that are whole or absent: atomic writes, checksums, manifests, where things are.

Everything is written beside its final place under the name `.<name>.partial`, flushed to
the disk and renamed; a killed writer leaves at most that one file, which the next writer
of the same path replaces.
"""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.lib.errors import UserError

MANIFEST = "manifest.json"


def workspace() -> Path:
    """The checkout this process works in: the nearest folder upward with a dvc.yaml.

    Raises UserError when there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"no dvc.yaml in {here} or above; run this in the project's folder")


def home() -> Path:
    """The checkout that owns the stores.

    `dvc exp run --temp` and `--queue` work in copies below `.dvc/tmp/exps/` of the
    original checkout; for these the original is returned, otherwise `workspace()`.
    """
    folder = workspace()
    parts = folder.parts
    for i in range(len(parts) - 2):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:i])
    return folder


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: object) -> str:
    """SHA-256 of a JSON value; equal values give equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
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
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; put it in the place of `path` when all went well."""
    partial = path.with_name(f".{path.name}.partial")
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in sorted(partial.rglob("*")):
            _flush(file)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        partial.rename(path)
        _flush(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of equal keys as CSV with a head, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object; UserError when it is missing or not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; `dvc repro` makes it") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); `dvc repro` makes it anew") from error
    if not isinstance(value, dict):
        raise UserError(
            f"{path} holds a {type(value).__name__}, not an object; `dvc repro` mends it"
        )
    return value


def write_manifest(folder: Path, about: dict[str, object]) -> str:
    """List every file of `folder` in its manifest.json, with SHA-256 and size in bytes.

    `about` joins the manifest. Returns the content hash: the digest of the list of files,
    so that equal files have equal hashes whatever `about` says.
    """
    names = sorted(p.name for p in folder.iterdir() if p.name != MANIFEST)
    listed = {n: {"sha256": sha256(folder / n), "size": (folder / n).stat().st_size} for n in names}
    content = digest(listed)
    write_json(folder / MANIFEST, {**about, "files": listed, "content_sha256": content})
    return content


def read_manifest(folder: Path) -> dict[str, object]:
    """The manifest of `folder`, after every file it lists has been checked against it.

    Raises UserError naming the first file that is missing, extra or different.
    """
    manifest = read_json(folder / MANIFEST)
    listed = manifest.get("files")
    if not isinstance(listed, dict) or digest(listed) != manifest.get("content_sha256"):
        raise UserError(f"{folder / MANIFEST} does not match itself; get the model anew")
    found = {p.name for p in folder.iterdir()} - {MANIFEST}
    for name in sorted(found ^ set(listed)):
        state = "is not in its manifest" if name in found else "is missing"
        raise UserError(f"{folder / name} {state}; get the model anew with `dvc checkout`")
    for name, facts in listed.items():
        if sha256(folder / name) != facts["sha256"]:
            message = f"{folder / name} differs from its manifest; get the model anew"
            raise UserError(f"{message} with `dvc checkout`")
    return manifest
