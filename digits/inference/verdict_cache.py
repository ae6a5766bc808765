"""Verdicts of `onnx_check`, kept in the user's cache folder by the SHA-256 of the ONNX file.

Only files that passed are kept, with their metadata. The checker's own hash is part of the name,
so that another checker judges anew. A folder that others can write to is not believed.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from digits.inference import onnx_check
from digits.project import atomic_files, hashing


def onnx_metadata(path: Path, sha256: str) -> dict[str, str]:
    """The metadata of the ONNX file `path`, whose bytes have the hash `sha256`.

    Raises UserError as `onnx_check.read_onnx_metadata` does.
    """
    kept = _file(sha256)
    with suppress(OSError, ValueError):
        if _is_private(kept.parent):
            return dict(json.loads(kept.read_text(encoding="utf-8")))
    metadata = onnx_check.read_onnx_metadata(path)
    with suppress(OSError):  # a disk that takes no more, or no home: checked again next time
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_files.write_json(kept, metadata)
    return metadata


def _file(sha256: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    checker = hashing.file_sha256(Path(onnx_check.__file__))
    return Path(cache, "digits", "onnx", f"{sha256}-{checker[:16]}.json")


def _is_private(folder: Path) -> bool:
    """Whether this user alone can write into `folder`."""
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022
