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

from stages.lib import files
from stages.lib.errors import UserError

WEIGHTS = "weights.pt"
ONNX = "model.onnx"
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
        logits = self.logits(pictures)
        raised = np.exp(logits - logits.max(1, keepdims=True))  # importing scipy takes 0.2 s
        return np.asarray(raised / raised.sum(1, keepdims=True))


def load(folder: Path) -> Classifier:
    """Load the model in `folder` after checking every file against its manifest.

    Raises UserError when there is no model, or when a file is missing, extra or altered.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no model here yet; `dvc repro` trains one")
    manifest = files.read_manifest(folder)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(
            str(folder / ONNX), options, providers=["CPUExecutionProvider"]
        )
        classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    except Exception as error:  # ONNX Runtime's own exceptions share no narrower base
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder / ONNX} cannot be loaded ({reason}); get it anew") from error
    return Classifier(session, classes, manifest)
