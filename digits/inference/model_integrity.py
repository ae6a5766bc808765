"""Check that a folder is exactly the model that its manifest describes.

Models may come from elsewhere, so nothing is loaded here: files are measured and hashed. An ONNX
file can point at other files, bring its own operators and ask for unlimited memory, so it is
parsed, and only what this project exports is accepted. The weights are a pickle in an archive,
whose list of files is read; `torch.load(weights_only=True)` alone opens the pickle.
"""

import json
import os
import re
import struct
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.inference import model_manifest, verdict_cache
from digits.project.errors import UserError

WEIGHTS = "weights.pt"
ONNX = "model.onnx"
GLYPH_FINDER = 1  # version of how glyphs are found and normalized, in manifests
# The end of each archive of torch: where its list of files is, how long, and of how many.
ARCHIVE_END = struct.Struct("<4sQ20xQQQ4s16x4s18x")
ARCHIVE_FILE = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)"
)
MAX_ARCHIVE_FILES = 10_000
MODEL_FILES = {model_manifest.MANIFEST, WEIGHTS, ONNX}

Manifest = dict[str, Any]


@dataclass(frozen=True)
class ResolvedModel:
    """A checked model: its name, the folder with its files, and its version number.

    `version` is None where no registry was involved: a folder, or the model of a git revision.
    `description` is "" or says more, as `checkout_model.describe_version` does.
    """

    name: str
    folder: Path
    manifest: Manifest
    version: int | None = None
    description: str = ""

    @property
    def title(self) -> str:
        """The name and what is known: `models/digits: version 4, challenger, test 99.42%`."""
        return f"{self.name}: {self.description}" if self.description else self.name

    @property
    def identity(self) -> dict[str, object]:
        """The model in a JSON result, with keys that the service's results have, too."""
        about = {"name": self.name, "version": self.version, "sha256": self.content_sha256}
        return {**about, "title": self.title}

    @property
    def content_sha256(self) -> str:
        """The hash of its files."""
        return str(self.manifest["content_sha256"])


def check_model(folder: Path, content: str | None = None) -> Manifest:
    """Return the manifest of the model in `folder` after checking all of its files.

    `content` is the expected content hash, from a source outside of the folder. Raises UserError
    for the first file that is missing, extra, altered or not acceptable.
    """
    _check_file_names(folder)
    manifest = model_manifest.check_files(folder, content)
    _check_archive(folder / WEIGHTS)
    sha256 = manifest["files"][ONNX]["sha256"]
    _check_metadata(manifest, verdict_cache.onnx_metadata(folder / ONNX, sha256), folder)
    return manifest


def is_intact(folder: Path, content: str | None = None) -> bool:
    """Return whether `check_model` accepts the folder."""
    try:
        check_model(folder, content)
    except UserError:
        return False
    return True


def _check_file_names(folder: Path) -> None:
    """Raise UserError unless `folder` is a folder with the three files of a model alone."""
    if folder.is_symlink() or not folder.is_dir():
        expected = ", ".join(sorted(MODEL_FILES))
        raise UserError(f"{folder} is no folder; expected one with {expected}")
    paths = sorted(folder.iterdir())
    for path in paths:
        if path.name not in MODEL_FILES or path.is_symlink() or not path.is_file():
            raise UserError(f"{path} is no file of a model; get the model anew")
    if missing := MODEL_FILES - {path.name for path in paths}:
        raise UserError(f"{folder / min(missing)} is missing; get the model anew")


def _check_archive(path: Path) -> None:
    """Raise UserError unless `path` is an archive of torch, with the files of one alone."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - ARCHIVE_END.size))
        end = file.read().ljust(ARCHIVE_END.size)
    mark, _, count, length, start, *marks = ARCHIVE_END.unpack(end)
    is_whole = [mark, *marks] == [b"PK\6\6", b"PK\6\7", b"PK\5\6"]
    is_whole &= start + length + ARCHIVE_END.size == size
    names: list[str] = []
    if is_whole and count <= MAX_ARCHIVE_FILES and length <= 200 * MAX_ARCHIVE_FILES:
        with suppress(zipfile.BadZipFile, ValueError):
            files = zipfile.ZipFile(path).infolist()
            names = [f.filename for f in files if f.compress_type == zipfile.ZIP_STORED]
    if not names or len(set(names)) < count or not all(map(ARCHIVE_FILE.fullmatch, names)):
        raise UserError(f"{path} is no archive of torch with weights alone; get the model anew")


def _check_metadata(manifest: Manifest, metadata: dict[str, str], folder: Path) -> None:
    """Raise UserError unless the manifest agrees with the metadata of the ONNX file.

    And unless it names this code's version of how glyphs are found, or none.
    """
    if manifest.get("finder", GLYPH_FINDER) != GLYPH_FINDER:
        found = f"{folder} is for another way to find glyphs ({manifest['finder']!r})"
        raise UserError(f"{found[:200]}; use the release that made it, or get the model anew")
    keys = manifest.keys() - {"files", "content_sha256", "run_id", "finder"}  # others: in both
    expected = {key: json.dumps(manifest[key], sort_keys=True) for key in keys}
    for key in sorted(keys | metadata.keys()):
        if expected.get(key) != metadata.get(key):
            files = f"{folder / model_manifest.MANIFEST} and {ONNX}"
            raise UserError(f"{files} differ in {key!r}; get the model anew")
