"""The model that is served: loaded, warmed, and replaced as a whole."""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from digits.inference import classifier
from digits.inference.classifier import Classifier

LOCAL_VERSION = "local"  # the version of a folder that no registry knows


@dataclass(frozen=True)
class ServedModel:
    """A model that answers, and what is known of it.

    `version` is its number in the registry, or `LOCAL`; `content` the SHA-256 of its files;
    `about` what `digits.service.model_card` found.
    """

    classifier: Classifier
    name: str
    version: str
    content_sha256: str
    facts: dict[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """What answers say of the model that gave them."""
        return {"name": self.name, "version": self.version, "sha256": self.content_sha256}

    @cached_property
    def headers(self) -> dict[str, str]:
        """The same as headers of an answer."""
        return {"x-model": f"{self.name}/{self.version}", "x-model-sha256": self.content_sha256}


def load_served_model(folder: Path, name: str, version: str, about: dict[str, Any]) -> ServedModel:
    """The model in `folder`, after one run of its network on one thread.

    Raises UserError when a file is missing or altered, or the network does not answer.
    """
    model = classifier.load(folder, threads=1)  # requests run side by side; threads of one wait
    model.probabilities(np.zeros((1, 28, 28), np.uint8))
    return ServedModel(model, name, version, str(model.manifest["content_sha256"]), about)


class ModelHolder:
    """What is served now, and whether new requests are welcome: nobody ends the service."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.ready, self.drain_until = True, 0.0

    def drain(self, seconds: float) -> None:
        """Close each connection with its answer, which takes at least until so many seconds on.

        A client that had its answer would connect again, and Granian closes a new connection
        whose request is still on its way when it is told to end.
        """
        self.ready, self.drain_until = False, time.monotonic() + seconds
