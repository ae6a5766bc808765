"""The model that a worker serves: load it, warm it up, and replace it in one step."""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from digits.inference import classifier
from digits.inference.classifier import Classifier
from digits.inference.model_words import ModelWords

LOCAL_VERSION = "local"  # of a folder that is not a registered version


@dataclass(frozen=True)
class ServedModel:
    """A loaded model with its name, version, title, the hash of its files, and its model card.

    `version` is a number of the registry or `LOCAL_VERSION`; `title` is that of a ResolvedModel,
    and `card` that of `digits.registry.lineage`.
    """

    classifier: Classifier
    name: str
    version: str
    title: str
    content_sha256: str
    card: dict[str, Any]

    @property
    def input_name(self) -> str:
        """The name of the graph's input: `images`, or `pictures` in older models."""
        return str(self.classifier.session.get_inputs()[0].name)

    @property
    def identity(self) -> dict[str, str]:
        """The fields of responses that identify the model."""
        return {"name": self.name, "version": self.version, "sha256": self.content_sha256}

    @cached_property
    def words(self) -> ModelWords:
        """What pages call the things that it reads."""
        return ModelWords(self.name, self.classifier.classes, self.classifier.format)

    @cached_property
    def description(self) -> dict[str, Any]:
        """The fields of responses that describe the model, its identity among them."""
        aliases = list(self.card.get("version", {}).get("aliases", []))
        accuracy = self.card.get("test", {}).get("accuracy")
        known = {"title": self.title, "aliases": aliases, "test_accuracy": accuracy}
        return {**self.identity, **known}

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers of responses that identify the model."""
        return {"x-model": f"{self.name}/{self.version}", "x-model-sha256": self.content_sha256}


def load_served_model(
    folder: Path, name: str, version: str, title: str, card: dict[str, Any]
) -> ServedModel:
    """Load the model in `folder` on one thread, and run it once.

    Raises UserError when a file is missing or altered, or when the network cannot run.
    """
    model = classifier.load(folder, threads=1)  # requests run in parallel already
    model.probabilities(np.zeros((1, *model.format.shape), np.uint8))
    content = str(model.manifest["content_sha256"])
    return ServedModel(model, name, version, title, content, card)


class ModelHolder:
    """The model that is served now, and whether the service accepts new requests."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.ready, self.drain_until = True, 0.0

    def drain(self, seconds: float) -> None:
        """Close each connection after its response, which is sent after `seconds` at the earliest.

        A client that had its response earlier would connect again. Granian, when it stops,
        closes a new connection whose request is still on its way.
        """
        self.ready, self.drain_until = False, time.monotonic() + seconds
