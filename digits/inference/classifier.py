"""A trained model as it is used: pictures in, logits and probabilities out.

Runs on ONNX Runtime and never imports torch, so it starts fast and deploys small.
The model's folder describes itself; nothing here reads params.yaml.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from digits.inference import model_integrity
from digits.inference.model_integrity import ONNX
from digits.project.errors import UserError

BATCH = 1000  # pictures; larger gains nothing and takes memory


@dataclass(frozen=True)
class Classifier:
    """A loaded model, its class names in the order of its outputs, and its manifest."""

    session: onnxruntime.InferenceSession
    classes: list[str]
    manifest: dict[str, object]

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated logits (n, classes) of `pictures` (n, 28, 28), 0 the background."""
        starts = range(0, len(pictures), BATCH)
        batches = [self.session.run(None, {"pictures": pictures[i : i + BATCH]})[0] for i in starts]
        return np.concatenate(batches)

    def probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (n, classes) of `pictures` (n, 28, 28); each row sums to 1."""
        return softmax(self.logits(pictures))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (n, classes) of logits (n, classes); importing scipy for it takes 0.2 s."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def session(graph: Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """A session of ONNX Runtime on `threads` threads, by default one per core.

    Raises one of ONNX Runtime's own exceptions when it cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def load(folder: Path, threads: int | None = None) -> Classifier:
    """Load the model in `folder` after `model_integrity` has checked it.

    `threads` are those of `session`. Raises UserError when there is no model, or when a file
    is missing, extra, altered or none that this project can have written.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no model here yet; `dvc repro` trains one")
    manifest = model_integrity.check_model(folder)
    try:
        opened = session(folder / ONNX, threads)
        classes = json.loads(opened.get_modelmeta().custom_metadata_map["classes"])
    except Exception as error:  # ONNX Runtime's own exceptions share no narrower base
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder / ONNX} cannot be loaded ({reason}); get it anew") from error
    return Classifier(opened, classes, manifest)
