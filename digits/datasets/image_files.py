"""List the image files that a command line names, and read their bytes.

Decoding the bytes is in `preprocessing.image_decoding`.
"""

import glob
import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from digits.project.errors import UserError

# Of one file: `image_decoding.MAX_PIXELS` fit, with four channels and uncompressed.
MAX_FILE_BYTES = 512 * 2**20
# In folders, files with another extension are skipped.
EXTENSIONS = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".avif"}
EXTENSIONS |= {".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".heic", ".heif", ".jp2"}


def list_images(names: Iterable[str]) -> Iterator[str]:
    """List the files of `names`: files, folders with their sub-folders, glob patterns, `-`.

    A name without any file is listed itself: `read_image_bytes` raises an error that explains it.
    """
    for name in names:
        matches = [name]
        if glob.has_magic(name) and not os.path.lexists(name):
            # pathlib has no globbing of absolute patterns
            matches = sorted(glob.glob(name, recursive=True)) or [name]  # noqa: PTH207
        for match in matches:
            files = list_folder(match) if os.path.isdir(match) else iter([match])  # noqa: PTH112
            yield next(files, match)
            yield from files


def list_folder(folder: str) -> Iterator[str]:
    """List the image files of `folder` and its sub-folders, sorted by name.

    Hidden files and folders, links to folders, and files with an extension of no image format
    are skipped.
    """
    try:
        with os.scandir(folder) as entries:
            shown = sorted((e for e in entries if e.name[0] != "."), key=lambda e: e.name)
    except OSError:
        yield folder  # `read_image_bytes` raises an error that explains it
        return
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from list_folder(entry.path)
        elif Path(entry.name).suffix.lower() in EXTENSIONS | {""} and entry.is_file():
            yield entry.path


def read_image_bytes(name: str) -> bytes:
    """Read a file that `list_images` listed; `-` is standard input.

    Raises UserError, one line that begins with the name, when it is too large or unreadable.
    """
    try:
        if name == "-":
            if sys.stdin is None:
                raise UserError("-: standard input is closed; name a file, or pipe one in")
            return _bounded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), name)
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 (as fast as possible)
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE_BYTES:
                return file.readall()
            return _bounded(io.BufferedReader(file).read(MAX_FILE_BYTES + 1), name)
    except OSError as error:
        shown = name if len(name) <= 100 else f"{name[:100]}..."
        raise UserError(f"{shown}: {_reason(name, error)}") from error
    except ValueError as error:  # a null byte in the name
        raise UserError(f"{name!r}: {error}") from error


def _bounded(content: bytes, name: str) -> bytes:
    """Return `content`. Raises UserError when it is too large."""
    if len(content) > MAX_FILE_BYTES:
        raise UserError(f"{name}: more than {MAX_FILE_BYTES // 2**20} MiB; an image was expected")
    return content


def _reason(name: str, error: OSError) -> str:
    """Explain why a name cannot be read, and what to do."""
    if isinstance(error, IsADirectoryError) and os.access(name, os.R_OK | os.X_OK):
        return "a folder without images; name the files themselves if their format is rare"
    if isinstance(error, FileNotFoundError) and glob.has_magic(name):
        return "no file matches; check the pattern"
    if isinstance(error, FileNotFoundError):
        return "no such file or folder; check the spelling"
    return f"{error.strerror or error}; check the name"
