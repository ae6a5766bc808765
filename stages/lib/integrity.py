"""Whether a folder is exactly the model that its manifest describes, and holds no code.

For models that come from elsewhere. Nothing is loaded here: files are measured, hashed and
taken apart, so that whatever loads them afterwards gets what was trained.
"""

import json
import stat
from pathlib import Path
from typing import Any

from stages.lib import files, inert
from stages.lib.errors import UserError

WEIGHTS = "weights.pt"
ONNX = "model.onnx"
NAMES = {files.MANIFEST, WEIGHTS, ONNX}
LONGEST = 1 << 20  # bytes of a manifest; a real one has a thousand
OWN = {"files", "content_sha256", "run_id"}  # of a manifest; the rest is in the ONNX file, too

Manifest = dict[str, Any]


def check(folder: Path, content: str | None = None) -> Manifest:
    """The manifest of the model in `folder`, when everything about the folder is right.

    `content` is the content hash that somebody else remembers. Raises UserError naming the
    first thing that is missing, extra, altered or not inert.
    """
    _plain(folder)
    manifest = read(folder / files.MANIFEST, content)
    for name, facts in manifest["files"].items():
        _same(folder / name, facts)
    inert.weights(folder / WEIGHTS)
    _agree(manifest, inert.onnx(folder / ONNX), folder)
    return manifest


def _plain(folder: Path) -> None:
    """Raise UserError unless `folder` is a folder of the three files of a model alone."""
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"{folder} is no folder; expected one with {', '.join(sorted(NAMES))}")
    found = {path.name: path.lstat().st_mode for path in folder.iterdir()}
    for name in sorted(found.keys() ^ NAMES):
        state = "is no file of a model" if name in found else "is missing"
        raise UserError(f"{folder / name} {state}; get the model anew")
    for name, mode in found.items():
        if not stat.S_ISREG(mode):
            raise UserError(f"{folder / name} is a link or no file; get the model anew")


def read(path: Path, content: str | None = None) -> Manifest:
    """A manifest that agrees with itself and with `content`; its files are not looked at.

    Raises UserError when it is none, or names other files than those of a model.
    """
    if path.stat().st_size > LONGEST:
        raise UserError(f"{path} is larger than a manifest can be; get the model anew")
    try:
        manifest: Manifest = files.read_json(path)
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply; get the model anew") from error
    if path.read_bytes() != (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode():
        raise UserError(f"{path} is not as this project writes one; get the model anew")
    listed = manifest.get("files")
    if not isinstance(listed, dict) or files.digest(listed) != manifest.get("content_sha256"):
        raise UserError(f"{path} does not match itself; get the model anew")
    if listed.keys() != NAMES - {files.MANIFEST} or not all(map(_facts, listed.values())):
        raise UserError(f"{path} lists other files than {WEIGHTS} and {ONNX}; get the model anew")
    if content is not None and manifest["content_sha256"] != content:
        found = f"{path} is of the model {manifest['content_sha256'][:12]}"
        raise UserError(f"{found}, expected {content[:12]}; it is not what was registered")
    return manifest


def _facts(value: object) -> bool:
    """Whether `value` is what a manifest says of a file."""
    return (
        isinstance(value, dict)
        and value.keys() == {"sha256", "size"}
        and isinstance(value["sha256"], str)
        and type(value["size"]) is int
    )


def _same(path: Path, facts: dict[str, Any]) -> None:
    """Raise UserError unless a file has the size and SHA-256 of its manifest."""
    size = path.stat().st_size
    if size != facts["size"]:
        raise UserError(f"{path} has {size:,} bytes, expected {facts['size']:,}; get it anew")
    if files.sha256(path) != facts["sha256"]:
        raise UserError(f"{path} differs from its manifest; get the model anew")


def _agree(manifest: Manifest, described: dict[str, str], folder: Path) -> None:
    """Raise UserError unless the manifest says of the model what the ONNX file says."""
    said = {k: json.dumps(v, sort_keys=True) for k, v in manifest.items() if k not in OWN}
    for key in sorted(said.keys() | described.keys()):
        if said.get(key) != described.get(key):
            found = f"{folder / files.MANIFEST} and {ONNX} differ in {key!r}"
            raise UserError(f"{found}; get the model anew")
