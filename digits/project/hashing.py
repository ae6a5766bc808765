"""SHA-256 of files and of JSON values. The MD5 that DVC uses is in `dvc_storage`."""

import hashlib
import json
from pathlib import Path

BLOCK = 2**24  # bytes; after each one, a thread that hashes waits for those that do not


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def json_sha256(value: object) -> str:
    """SHA-256 of a JSON value, in hexadecimal; equal values give equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
