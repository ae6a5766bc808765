"""Cache the verdicts of `onnx_check` in the user's cache folder, by SHA-256 of the ONNX file.

Only accepted files are cached, with their metadata. The checker's own hash is part of the name,
so another checker judges anew. A folder that other users can write to is not trusted.
"""

import os
from contextlib import suppress
from pathlib import Path

from digits.project import atomic_files, hashing, workspace
from digits.project.errors import UserError


def onnx_metadata(path: Path, sha256: str) -> dict[str, str]:
    """Return the metadata of the ONNX file `path`, whose bytes have the hash `sha256`.

    Raises UserError as `onnx_check.read_onnx_metadata` does.
    """
    cached = _cache_file(sha256)
    with suppress(OSError, UserError):
        if _is_private(cached.parent):
            return atomic_files.read_json(cached)
    from digits.inference import onnx_check  # it imports onnx: 0.1 s

    metadata = onnx_check.read_onnx_metadata(path)
    if cached.is_absolute():
        with suppress(OSError):  # such as a full disk: the file is checked again next time
            cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_files.write_json(cached, metadata)
    return metadata


def _cache_file(sha256: str) -> Path:
    """Return where the verdict belongs; a relative path if the user has no home folder."""
    checker = hashing.file_sha256(Path(__file__).with_name("onnx_check.py"))
    return workspace.user_cache() / "onnx" / f"{sha256}-{checker[:16]}.json"


def _is_private(folder: Path) -> bool:
    """Return whether this user alone can write into `folder`; never so for a relative path."""
    if not hasattr(os, "getuid"):  # on Windows, st_mode says nothing about others
        return False
    status = folder.stat()
    return folder.is_absolute() and status.st_uid == os.getuid() and not status.st_mode & 0o022
