"""What a person names on a command line -> picture files, in order, and their bytes."""

import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from digits.project.errors import UserError

MAX_FILE_BYTES = (
    512 * 2**20
)  # bytes of one file; MAX_PIXELS in four colours without compression fit
# In folders, files with another extension are not tried.
EXTENSIONS = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".avif"}
EXTENSIONS |= {".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".heic", ".heif", ".jp2"}


def list_images(names: Iterable[str]) -> Iterator[str]:
    """The files that `names` mean: files, folders with all below them, glob patterns, `-`.

    A name that means nothing is given as it is: `content` says what is wrong with it.
    """
    for name in names:
        matches = [name]
        if glob.has_magic(name) and not os.path.lexists(name):
            # pathlib has no globbing of absolute patterns
            matches = sorted(glob.glob(name, recursive=True)) or [name]  # noqa: PTH207
        for match in matches:
            found = list_folder(match) if Path(match).is_dir() else iter([match])
            yield next(found, match)
            yield from found


def list_folder(folder: str) -> Iterator[str]:
    """The pictures in `folder` and its sub-folders, sorted by name.

    Left out are hidden files and folders, links to folders, and files with an extension
    that is not a picture's.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield folder  # `content` says why
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from list_folder(entry.path)
        elif Path(entry.name).suffix.lower() in EXTENSIONS | {""} and entry.is_file():
            yield entry.path


def read_image_bytes(name: str) -> bytes:
    """The bytes of one of the files that `listed` gave.

    Raises UserError, one line that begins with the name, when it cannot be read.
    """
    try:
        if name == "-":
            return _bounded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), name)
        with Path(name).open("rb") as file:
            status = os.fstat(file.fileno())
            size = status.st_size if stat.S_ISREG(status.st_mode) else MAX_FILE_BYTES
            return _bounded(file.read(min(size, MAX_FILE_BYTES) + 1), name)
    except OSError as error:
        raise UserError(f"{name}: {_reason(name, error)}") from error
    except ValueError as error:  # a null byte in the name
        raise UserError(f"{name!r}: {error}") from error


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"{name}: more than {MAX_FILE_BYTES // 2**20} MiB; a picture was expected")
    return data


def _reason(name: str, error: OSError) -> str:
    if isinstance(error, IsADirectoryError) and os.access(name, os.R_OK | os.X_OK):
        return "a folder without pictures; name the files themselves if they are of a rare format"
    if isinstance(error, FileNotFoundError) and glob.has_magic(name):
        return "no file matches; check the pattern"
    if isinstance(error, FileNotFoundError):
        return "no such file or folder; check the spelling"
    return error.strerror or str(error)
