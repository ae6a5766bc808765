"""Load a trained model and run it: images in, logits and probabilities out.

Runs on ONNX Runtime and never imports torch, so it starts fast and deploys small.
The model's folder describes itself; nothing here reads params.yaml.
"""

import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Its packages for Linux report each model that is loaded to their maker, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from digits.inference import model_integrity, model_manifest
from digits.inference.model_integrity import ONNX, Manifest, ResolvedModel
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError

BATCH = 1000  # images of MNIST's size in one run of the network; it limits memory


@dataclass(frozen=True)
class Classifier:
    """A loaded model, its class names in the order of its outputs, and its manifest."""

    session: onnxruntime.InferenceSession
    classes: list[str]
    manifest: dict[str, object]

    @cached_property
    def format(self) -> ImageFormat:
        """What the pixels of its input mean."""
        return model_manifest.image_format(self.manifest)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return calibrated logits (n, classes) of `images` (n, *format.shape)."""
        size = max(1, BATCH * 784 // max(784, math.prod(self.format.shape)))
        batches = [images[i : i + size] for i in range(0, len(images), size)]
        name = self.session.get_inputs()[0].name
        outputs = [self.session.run(None, {name: self._as_input(b)})[0] for b in batches]
        return np.concatenate([np.zeros((0, len(self.classes)), np.float32), *outputs])

    def _as_input(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return images as the graph takes them: those that are no glyphs in RGB."""
        is_gray = self.format.kind == "images" and images.ndim == 3
        return np.repeat(images[..., None], 3, axis=3) if is_gray else images

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities (n, classes) of `images` (n, *format.shape); each row sums to 1."""
        return softmax(self.logits(images))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities (n, classes) of logits (n, classes), without importing scipy."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def session(graph: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open a session of ONNX Runtime on `threads` threads, by default one per core.

    Raises one of ONNX Runtime's own exceptions when it cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = threads or 0  # 0: one per core
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def load(model: Path | ResolvedModel, threads: int | None = None) -> Classifier:
    """Load a model: one that was just checked, or that of a folder, which is checked now.

    `threads` are those of `session`. Raises UserError when there is no model, or when a file
    is missing, extra, altered, or not one that this project can have written.
    """
    if isinstance(model, ResolvedModel):
        return _open(model.folder, model.manifest, threads)
    if not model.is_dir():
        raise UserError(f"{model}: no model here yet; `dvc repro` trains one")
    return _open(model, model_integrity.check_model(model), threads)


def _open(folder: Path, manifest: Manifest, threads: int | None) -> Classifier:
    """Open a model whose files are known to be right."""
    try:
        opened = session(folder / ONNX, threads)
        classes = json.loads(opened.get_modelmeta().custom_metadata_map["classes"])
    except Exception as error:  # ONNX Runtime's own exceptions share no narrower base
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder / ONNX} cannot be loaded ({reason}); get it anew") from error
    return Classifier(opened, classes, manifest)
