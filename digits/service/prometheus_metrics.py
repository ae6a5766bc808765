"""Prometheus metrics. With several workers they are summed.

Workers share their numbers through files in PROMETHEUS_MULTIPROC_DIR, which
`digits.service.processes` sets before it starts them.
"""

import functools
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from digits.service.served_model import ServedModel

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SHARES = [i / 20 for i in range(1, 21)]

REQUESTS = Counter("digits_requests", "Requests answered", ["route", "status"])
DURATIONS = Histogram("digits_request_seconds", "From head to answer", ["route"], buckets=SECONDS)
PREDICTIONS = Counter("digits_predictions", "Glyphs or images classified", ["class"])
CONFIDENCE = Histogram(
    "digits_confidence", "Probability of each answer", ["version"], buckets=SHARES
)
REJECTS = Counter("digits_rejects", "Images with nothing on them or a doubtful answer", ["reason"])
SHEDS = Counter("digits_sheds", "Requests refused under load")
SWAPS = Counter("digits_swaps", "Models loaded or refused", ["result"])
BATCH = Histogram("digits_batch_pictures", "Images in one batch", buckets=[2**i for i in range(11)])
WAITING = Gauge("digits_waiting", "Requests in progress", multiprocess_mode="livesum")
LABELS = ["name", "version", "sha256"]
MODEL = Gauge("digits_model", "1 for the served model", LABELS, multiprocess_mode="livemax")


@functools.cache
def labelled_metric(metric: Any, *labels: str | int) -> Any:
    """Return the child of a metric with these labels, cached because `labels` is slow."""
    return metric.labels(*labels)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    if FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def count_predictions(probabilities: NDArray[np.float32], served: ServedModel) -> None:
    """Count the answers of each class; `probabilities` are (n, classes)."""
    confidence = labelled_metric(CONFIDENCE, served.version)
    answers, tops = probabilities.argmax(1).tolist(), probabilities.max(1).tolist()
    for answer, top in zip(answers, tops, strict=True):
        labelled_metric(PREDICTIONS, served.classifier.classes[answer]).inc()
        confidence.observe(top)
