"""Whether a folder is exactly the model that its manifest describes.

For models that come from elsewhere; nothing is loaded here. Files are measured and hashed. An
ONNX file, which can point at other files, bring operators of its own and ask for memory without
end, is taken apart, and only what this project exports is let through. Weights are hashed alone:
they are a pickle, which nothing but `torch.load(weights_only=True)` opens.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.inference import model_manifest, verdict_cache
from digits.project.errors import UserError

WEIGHTS = "weights.pt"
ONNX = "model.onnx"
MODEL_FILES = {model_manifest.MANIFEST, WEIGHTS, ONNX}
MANIFEST_ONLY_KEYS = {
    "files",
    "content_sha256",
    "run_id",
}  # of a manifest; the rest is in the ONNX file, too

Manifest = dict[str, Any]


@dataclass(frozen=True)
class ResolvedModel:
    """A checked model: its name, the folder with its files, and its number in the registry.

    `version` is None where no registry was asked: a folder, or the model of a git revision.
    """

    name: str
    folder: Path
    manifest: Manifest
    version: int | None = None

    @property
    def content_sha256(self) -> str:
        """The hash of its files."""
        return str(self.manifest["content_sha256"])


def check_model(folder: Path, content: str | None = None) -> Manifest:
    """The manifest of the model in `folder`, when everything about the folder is right.

    `content` is the content hash that somebody else remembers. Raises UserError naming the
    first thing that is missing, extra, altered or no part of a model.
    """
    _check_file_names(folder)
    manifest = model_manifest.check_files(folder, content)
    sha256 = manifest["files"][ONNX]["sha256"]
    _check_metadata(manifest, verdict_cache.onnx_metadata(folder / ONNX, sha256), folder)
    return manifest


def is_intact(folder: Path, content: str | None = None) -> bool:
    """Whether `check` finds nothing wrong."""
    try:
        check_model(folder, content)
    except UserError:
        return False
    return True


def _check_file_names(folder: Path) -> None:
    """Raise UserError unless `folder` is a folder of the three files of a model alone."""
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(
            f"{folder} is no folder; expected one with {', '.join(sorted(MODEL_FILES))}"
        )
    found = sorted(folder.iterdir())
    for path in found:
        if path.name not in MODEL_FILES or path.is_symlink() or not path.is_file():
            raise UserError(f"{path} is no file of a model; get the model anew")
    if missing := MODEL_FILES - {path.name for path in found}:
        raise UserError(f"{folder / min(missing)} is missing; get the model anew")


def _check_metadata(manifest: Manifest, described: dict[str, str], folder: Path) -> None:
    """Raise UserError unless the manifest says of the model what the ONNX file says."""
    said = {
        k: json.dumps(v, sort_keys=True) for k, v in manifest.items() if k not in MANIFEST_ONLY_KEYS
    }
    for key in sorted(said.keys() | described.keys()):
        if said.get(key) != described.get(key):
            found = f"{folder / model_manifest.MANIFEST} and {ONNX} differ in {key!r}"
            raise UserError(f"{found}; get the model anew")
