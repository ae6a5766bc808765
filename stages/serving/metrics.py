"""What Prometheus reads. With several workers, the sums of all of them.

Workers share their numbers through files in PROMETHEUS_MULTIPROC_DIR, which
`stages.serving.server` sets before it starts them.
"""

import functools
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

from stages.lib.answers import Answer
from stages.serving.served import Served

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BINS = 20  # of confidences
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The numbers of one application."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        counter = functools.partial(Counter, registry=own)
        histogram = functools.partial(Histogram, registry=own)
        gauge = functools.partial(Gauge, registry=own)
        self.requests = counter("digits_requests", "Requests answered", ["route", "status"])
        self.seconds = histogram(
            "digits_request_seconds", "From head to answer", ["route"], buckets=SECONDS
        )
        self.predictions = counter("digits_predictions", "Digits read", ["digit"])
        self.confidence = histogram(
            "digits_confidence",
            "Largest probability of each digit",
            ["version"],
            buckets=[i / BINS for i in range(1, BINS + 1)],
        )
        self.rejects = counter("digits_rejects", "No digit, or a doubtful one", ["reason"])
        self.sheds = counter("digits_sheds", "Requests refused under load")
        self.swaps = counter("digits_swaps", "Models taken up or refused", ["result"])
        self.batch = histogram(
            "digits_batch_pictures", "Pictures per run of the network", buckets=SIZES
        )
        self.waiting = gauge("digits_waiting", "Requests in work", multiprocess_mode="livesum")
        self.model = gauge(
            "digits_model",
            "1: the model that answers",
            ["name", "version", "sha256"],
            multiprocess_mode="livemax",
        )
        self.labelled = functools.cache(_labelled)  # `labels` takes longer than counting
        if FOLDER in os.environ:
            self.registry = CollectorRegistry()
            MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=own)

    def exposition(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)

    def swapped(self, old: Served | None, new: Served) -> None:
        """Say which model answers from now on."""
        if old is not None:
            self.model.labels(**old.identity).set(0)
        self.model.labels(**new.identity).set(1)
        self.swaps.labels("taken").inc()

    def answered(self, answer: Answer) -> None:
        """Count an answer to a picture that a person may want to look at again."""
        if answer.status != "ok":
            self.rejects.labels(answer.status).inc()

    def read(self, probabilities: NDArray[np.float32], served: Served) -> None:
        """Count a run of the network over n pictures; probabilities are (n, classes)."""
        self.batch.observe(len(probabilities))
        confidence = self.labelled(self.confidence, served.version)
        digits, tops = probabilities.argmax(1).tolist(), probabilities.max(1).tolist()
        for digit, top in zip(digits, tops, strict=True):
            self.labelled(self.predictions, served.classifier.classes[digit]).inc()
            confidence.observe(top)

    def confidences(self, version: str) -> list[int]:
        """How many digits that `version` read had their largest probability in each bin."""
        reached = [0.0] * BINS
        for family in self.registry.collect():
            for sample in family.samples if family.name == "digits_confidence" else []:
                bound = sample.labels.get("le", "+Inf")
                if bound != "+Inf" and sample.labels["version"] == version:
                    reached[round(float(bound) * BINS) - 1] = sample.value
        return [int(b - a) for a, b in zip([0.0, *reached], reached, strict=False)]


def _labelled(family: Any, *labels: str | int) -> Any:
    """The number of a family that has these labels."""
    return family.labels(*labels)
