"""Two models on the same pictures: who is right where, how fast, and whether it is chance."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib import paired, scores
from stages.lib.classifier import Classifier
from stages.lib.dataset import Pictures

ROUNDS = 300  # single pictures per model, after as many that do not count divided by ten
SEED = 1  # of the bootstrap
SIGNIFICANT = 0.05
MADE_BY = "digits compare"  # stands in each file that shows a comparison

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One of the two models and how it does alone.

    `size` in bytes of its ONNX file, `latency` in seconds for one picture (median), `params`
    as text, `predicted` (n,) class indices; `notes` say what to think of before believing it.
    """

    name: str
    content: str
    size: int
    latency: float
    params: Mapping[str, str]
    predicted: Ints
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Comparison:
    """Both models on `pictures`; `difference` is the accuracy of `a` minus that of `b`."""

    a: Side
    b: Side
    pictures: Pictures
    classes: Sequence[str]
    difference: float
    difference_interval: tuple[float, float]
    p_value: float

    def right(self, side: Side) -> NDArray[np.bool_]:
        """Which pictures a side labels rightly, (n,)."""
        return np.equal(side.predicted, self.pictures.labels)

    def accuracy(self, side: Side) -> tuple[float, tuple[float, float]]:
        """The accuracy of a side and its 95 % interval, fractions."""
        right = self.right(side)
        return float(right.mean()), scores.interval(int(right.sum()), len(right))

    @property
    def only_a(self) -> Ints:
        """The pictures that only `a` labels rightly, as positions."""
        return np.flatnonzero(self.right(self.a) & ~self.right(self.b))

    @property
    def only_b(self) -> Ints:
        """The pictures that only `b` labels rightly, as positions."""
        return np.flatnonzero(self.right(self.b) & ~self.right(self.a))

    @property
    def verdict(self) -> str:
        """Whether the difference is more than chance, in words."""
        if self.a.content == self.b.content:
            return "both are the same bytes"
        if self.p_value >= SIGNIFICANT:
            return "no difference beyond chance"
        better = self.a if self.difference > 0 else self.b
        return f"{better.name} is better beyond chance"

    @property
    def parameters(self) -> list[tuple[str, str, str]]:
        """Parameters that differ: name, value of `a`, value of `b`.

        Only of sections that both have: a model without its run knows its network alone.
        """
        ours, theirs = self.a.params, self.b.params
        sections = {k.partition(".")[0] for k in ours} & {k.partition(".")[0] for k in theirs}
        names = [k for k in sorted(ours.keys() | theirs.keys()) if k.partition(".")[0] in sections]
        rows = [(name, ours.get(name, "-"), theirs.get(name, "-")) for name in names]
        return [row for row in rows if row[1] != row[2]]


def latencies(models: Sequence[Classifier], pictures: Pictures) -> list[float]:
    """Median seconds that each model takes for one picture.

    The models take turns, so that a busy moment of the machine hits all of them.
    """
    seconds = np.empty((ROUNDS + ROUNDS // 10, len(models)))
    for i in range(len(seconds)):
        picture = pictures.images[i % len(pictures)][None]
        for j, model in enumerate(models):
            start = time.perf_counter()
            model.logits(picture)
            seconds[i, j] = time.perf_counter() - start
    medians: list[float] = np.median(seconds[ROUNDS // 10 :], axis=0).tolist()
    return medians


def compare(a: Side, b: Side, pictures: Pictures, classes: Sequence[str]) -> Comparison:
    """The paired statistics of two models that saw the same pictures."""
    right_a, right_b = a.predicted == pictures.labels, b.predicted == pictures.labels
    return Comparison(
        a=a,
        b=b,
        pictures=pictures,
        classes=classes,
        difference=float(right_a.mean() - right_b.mean()),
        difference_interval=paired.difference_interval(right_a, right_b, SEED),
        p_value=paired.mcnemar(right_a, right_b),
    )
