"""TODO"""

from pathlib import Path
from typing import Any

from digits.project.atomic_files import json_bytes, read_json, write_json
from digits.project.errors import UserError
from digits.project.hashing import file_sha256, json_sha256

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20  # bytes of a manifest; a real one has a thousand
FILE_KEYS = {"sha256", "size"}  # what a manifest says of a file


def write_manifest(folder: Path, about: dict[str, object]) -> None:
    """List every file of `folder` in its manifest.json, with SHA-256 and size in bytes.

    `about` joins the manifest. The content hash is the digest of the list of files, so that
    equal files have equal hashes whatever `about` says.
    """
    names = sorted(p.name for p in folder.iterdir() if p.name != MANIFEST)
    listed = {
        n: {"sha256": file_sha256(folder / n), "size": (folder / n).stat().st_size} for n in names
    }
    write_json(folder / MANIFEST, {**about, "files": listed, "content_sha256": json_sha256(listed)})


def load_manifest(path: Path, content: str | None = None) -> dict[str, Any]:
    """A manifest that agrees with itself and with `content`; its files are not looked at.

    `content` is the content hash that somebody else remembers. Raises UserError when it is none.
    """
    if path.exists() and path.stat().st_size > MAX_MANIFEST_BYTES:
        raise UserError(f"{path} is larger than a manifest can be; get the model anew")
    found = read_json(path)
    listed = found.get("files")
    plain = isinstance(listed, dict) and all(
        isinstance(facts, dict) and facts.keys() == FILE_KEYS for facts in listed.values()
    )
    if not plain or json_sha256(listed) != found.get("content_sha256"):
        raise UserError(f"{path} does not match itself; get the model anew")
    if path.read_bytes() != json_bytes(found):
        raise UserError(f"{path} is not as this project writes one; get the model anew")
    if content is not None and found["content_sha256"] != content:
        told = f"{path} is of the model {str(found['content_sha256'])[:12]}"
        raise UserError(f"{told}, expected {content[:12]}; it is not what was registered")
    return found


def check_files(folder: Path, content: str | None = None) -> dict[str, Any]:
    """The manifest of `folder`, after every file it lists has been checked against it.

    Raises UserError as `manifest` does, and naming the first file that is missing, extra or
    different.
    """
    about = load_manifest(folder / MANIFEST, content)
    found = {p.name for p in folder.iterdir()} - {MANIFEST}
    for name in sorted(found ^ about["files"].keys()):
        state = "is not in its manifest" if name in found else "is missing"
        raise UserError(f"{folder / name} {state}; get the model anew with `dvc checkout`")
    for name, facts in about["files"].items():
        path, size = folder / name, (folder / name).stat().st_size
        if size != facts["size"]:
            raise UserError(f"{path} has {size:,} bytes, expected {facts['size']}; get it anew")
        if file_sha256(path) != facts["sha256"]:
            message = f"{path} differs from its manifest; get the model anew"
            raise UserError(f"{message} with `dvc checkout`")
    return about
