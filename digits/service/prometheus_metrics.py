"""What Prometheus reads. With several workers, the sums of all of them.

Workers share their numbers through files in PROMETHEUS_MULTIPROC_DIR, which
`digits.service.processes` sets before it starts them.
"""

import functools
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from digits.service.served_model import ServedModel

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SHARES = [i / 20 for i in range(1, 21)]
TOP = "Largest probability of each digit"

REQUESTS = Counter("digits_requests", "Requests answered", ["route", "status"])
DURATIONS = Histogram("digits_request_seconds", "From head to answer", ["route"], buckets=SECONDS)
PREDICTIONS = Counter("digits_predictions", "Digits read", ["digit"])
CONFIDENCE = Histogram("digits_confidence", TOP, ["version"], buckets=SHARES)
REJECTS = Counter("digits_rejects", "No digit, or a doubtful one", ["reason"])
SHEDS = Counter("digits_sheds", "Requests refused under load")
SWAPS = Counter("digits_swaps", "Models taken up or refused", ["result"])
BATCH = Histogram("digits_batch_pictures", "Pictures per run of the network", buckets=SIZES)
WAITING = Gauge("digits_waiting", "Requests in work", multiprocess_mode="livesum")
LABELS = ["name", "version", "sha256"]
MODEL = Gauge("digits_model", "1: the model that answers", LABELS, multiprocess_mode="livemax")


@functools.cache
def labelled_metric(family: Any, *labels: str | int) -> Any:
    """The number of a family that has these labels; `labels` takes longer than counting."""
    return family.labels(*labels)


def exposition() -> bytes:
    """All numbers in Prometheus' text format."""
    registry = REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def count_predictions(probabilities: NDArray[np.float32], served: ServedModel) -> None:
    """Count a run of the network over n pictures; probabilities are (n, classes)."""
    BATCH.observe(len(probabilities))
    confidence = labelled_metric(CONFIDENCE, served.version)
    digits, tops = probabilities.argmax(1).tolist(), probabilities.max(1).tolist()
    for digit, top in zip(digits, tops, strict=True):
        labelled_metric(PREDICTIONS, served.classifier.classes[digit]).inc()
        confidence.observe(top)
