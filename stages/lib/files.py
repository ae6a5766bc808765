"""Files that are whole or absent: atomic writes, checksums, manifests, where things are.

Everything is written beside its final place under the name `.<name>.partial`, flushed to
the disk and renamed; a killed writer leaves at most that one file, which the next writer
of the same path replaces.
"""

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
LONGEST = 1 << 20  # bytes of a manifest; a real one has a thousand
FACTS = {"sha256", "size"}  # what a manifest says of a file


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
    original, marker, _ = str(folder).partition("/.dvc/tmp/exps/")
    return Path(original) if marker else folder


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
        shutil.rmtree(partial, ignore_errors=True)  # where it is a folder
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; put it in the place of `path` when all went well."""
    old = path.with_name(f".{path.name}.old")
    with replacing(path) as partial:
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
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    write_bytes(path, _json(value))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of equal keys as CSV with a head, whole or not at all."""
    import csv  # `digits --help` needs none

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def _json(value: object) -> bytes:
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


def write_manifest(folder: Path, about: dict[str, object]) -> None:
    """List every file of `folder` in its manifest.json, with SHA-256 and size in bytes.

    `about` joins the manifest. The content hash is the digest of the list of files, so that
    equal files have equal hashes whatever `about` says.
    """
    names = sorted(p.name for p in folder.iterdir() if p.name != MANIFEST)
    listed = {n: {"sha256": sha256(folder / n), "size": (folder / n).stat().st_size} for n in names}
    write_json(folder / MANIFEST, {**about, "files": listed, "content_sha256": digest(listed)})


def manifest(path: Path, content: str | None = None) -> dict[str, Any]:
    """A manifest that agrees with itself and with `content`; its files are not looked at.

    `content` is the content hash that somebody else remembers. Raises UserError when it is none.
    """
    if path.exists() and path.stat().st_size > LONGEST:
        raise UserError(f"{path} is larger than a manifest can be; get the model anew")
    found = read_json(path)
    listed = found.get("files")
    plain = isinstance(listed, dict) and all(
        isinstance(facts, dict) and facts.keys() == FACTS for facts in listed.values()
    )
    if not plain or digest(listed) != found.get("content_sha256"):
        raise UserError(f"{path} does not match itself; get the model anew")
    if path.read_bytes() != _json(found):
        raise UserError(f"{path} is not as this project writes one; get the model anew")
    if content is not None and found["content_sha256"] != content:
        told = f"{path} is of the model {str(found['content_sha256'])[:12]}"
        raise UserError(f"{told}, expected {content[:12]}; it is not what was registered")
    return found


def read_manifest(folder: Path, content: str | None = None) -> dict[str, Any]:
    """The manifest of `folder`, after every file it lists has been checked against it.

    Raises UserError as `manifest` does, and naming the first file that is missing, extra or
    different.
    """
    about = manifest(folder / MANIFEST, content)
    found = {p.name for p in folder.iterdir()} - {MANIFEST}
    for name in sorted(found ^ about["files"].keys()):
        state = "is not in its manifest" if name in found else "is missing"
        raise UserError(f"{folder / name} {state}; get the model anew with `dvc checkout`")
    for name, facts in about["files"].items():
        path, size = folder / name, (folder / name).stat().st_size
        if size != facts["size"]:
            raise UserError(f"{path} has {size:,} bytes, expected {facts['size']}; get it anew")
        if sha256(path) != facts["sha256"]:
            message = f"{path} differs from its manifest; get the model anew"
            raise UserError(f"{message} with `dvc checkout`")
    return about
