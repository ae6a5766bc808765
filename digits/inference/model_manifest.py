"""Write and check the manifest of a model's folder: hashes and sizes of its files.

Which files a model has, and whether their content is acceptable, is `model_integrity`'s part.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project.atomic_files import json_bytes, read_json, write_json
from digits.project.errors import UserError
from digits.project.hashing import file_sha256, json_sha256

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20  # a manifest that this project writes has a thousand


def write_manifest(folder: Path, about: dict[str, object]) -> None:
    """List every file of `folder` in its manifest.json, with SHA-256 and size in bytes.

    `about` is added to the manifest. The content hash is the digest of the list of files, so
    equal files have equal hashes whatever `about` holds.
    """
    paths = sorted(p for p in folder.iterdir() if p.name != MANIFEST)
    files = {p.name: {"sha256": file_sha256(p), "size": p.stat().st_size} for p in paths}
    write_json(folder / MANIFEST, {**about, "files": files, "content_sha256": json_sha256(files)})


def load_manifest(path: Path, content: str | None = None) -> dict[str, Any]:
    """Read a manifest that is consistent and of the content hash `content`, if given.

    The files that it lists are not checked. Raises UserError.
    """
    if path.exists() and path.stat().st_size > MAX_MANIFEST_BYTES:
        raise UserError(f"{path} is larger than a manifest can be; get the model anew")
    manifest = read_json(path)
    files, sha256 = manifest.get("files"), manifest.get("content_sha256")
    entries = files.values() if isinstance(files, dict) else [files]
    valid = all(isinstance(e, dict) and e.keys() == {"sha256", "size"} for e in entries)
    if not valid or json_sha256(files) != sha256:
        raise UserError(f"{path} does not match itself; get the model anew")
    if path.read_bytes() != json_bytes(manifest):
        raise UserError(f"{path} is not formatted as this project writes it; get the model anew")
    if not re.fullmatch("[0-9a-f]{32}", str(manifest.get("run_id"))) or not _is_finite(manifest):
        found = f"{path} names no run, or has a number that is not finite"
        raise UserError(f"{found}; get the model anew")
    if content is not None and sha256 != content:
        found = f"{path} is of the model {str(sha256)[:12]}, expected {content[:12]}"
        raise UserError(f"{found}; it is not what was registered")
    return manifest


def _is_finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def image_format(description: Mapping[str, Any]) -> ImageFormat:
    """Return the format of a model's images; a model from before there were others has MNIST's.

    Raises UserError when it is none that this project writes.
    """
    try:
        found = ImageFormat(**description["format"]) if "format" in description else MNIST
        possible = found.kind in {"glyphs", "images"} and found.fit in {"pad", "crop"}
        if not possible or found.channels not in {1, 3} or found.side not in range(16, 225, 2):
            raise ValueError(f"{found}")
    except (TypeError, ValueError) as error:
        problem = " ".join(str(error).split())[:100]
        raise UserError(f"a model of unknown images ({problem}); get the model anew") from error
    return found


def check_files(folder: Path, content: str | None = None) -> dict[str, Any]:
    """Return the manifest of `folder` after checking every file that it lists.

    Raises UserError as `load_manifest` does, and for the first file that is missing, extra or
    different.
    """
    manifest = load_manifest(folder / MANIFEST, content)
    present = {p.name for p in folder.iterdir()} - {MANIFEST}
    for name in sorted(present ^ manifest["files"].keys()):
        state = "is not in its manifest" if name in present else "is missing"
        raise UserError(f"{folder / name} {state}; get the model anew with `dvc checkout`")
    for name, entry in manifest["files"].items():
        path, size = folder / name, (folder / name).stat().st_size
        if size != entry["size"]:
            raise UserError(f"{path} has {size:,} bytes, expected {entry['size']}; get it anew")
        if file_sha256(path) != entry["sha256"]:
            advice = "get the model anew with `dvc checkout`"
            raise UserError(f"{path} differs from its manifest; {advice}")
    return manifest
