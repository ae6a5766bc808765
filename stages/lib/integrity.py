"""Whether a folder is exactly the model that its manifest describes.

For models that come from elsewhere. Files are measured and hashed and the graph is taken apart
before anything is loaded. Weights are hashed alone: they are a pickle, which nothing but
`torch.load(weights_only=True)` may open.
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
OWN = {"files", "content_sha256", "run_id"}  # of a manifest; the rest is in the ONNX file, too

Manifest = dict[str, Any]


def check(folder: Path, content: str | None = None) -> Manifest:
    """The manifest of the model in `folder`, when everything about the folder is right.

    `content` is the content hash that somebody else remembers. Raises UserError naming the
    first thing that is missing, extra, altered or no part of a model.
    """
    _plain(folder)
    manifest = files.read_manifest(folder, content)
    _agree(manifest, inert.onnx(folder / ONNX), folder)
    return manifest


def intact(folder: Path, content: str | None = None) -> bool:
    """Whether `check` finds nothing wrong."""
    try:
        check(folder, content)
    except UserError:
        return False
    return True


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


def _agree(manifest: Manifest, described: dict[str, str], folder: Path) -> None:
    """Raise UserError unless the manifest says of the model what the ONNX file says."""
    said = {k: json.dumps(v, sort_keys=True) for k, v in manifest.items() if k not in OWN}
    for key in sorted(said.keys() | described.keys()):
        if said.get(key) != described.get(key):
            found = f"{folder / files.MANIFEST} and {ONNX} differ in {key!r}"
            raise UserError(f"{found}; get the model anew")
