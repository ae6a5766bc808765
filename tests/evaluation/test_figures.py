"""Figures can be read: labels on every axis, nothing drawn under a legend, whole titles."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from digits.evaluation import figures

NAMES = ("fog", "impulse_noise", "zigzag")


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that runs one that draws a file, and returns the figure."""
    saved = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (save(f, *a, **k), saved.append(f)))

    def draw(plot, *arguments):
        plot(*arguments, tmp_path / "figure.png")
        return saved[-1]

    return draw


def labels(axis):
    """The labels of an axis that are within its range."""
    low, high = sorted(axis.get_view_interval())
    near = 1e-9 * (high - low)
    ticks = [tick for tick in axis.get_major_ticks() if low - near <= tick.get_loc() <= high + near]
    return [tick.label1.get_text() for tick in ticks if tick.label1.get_text()]


def curves(epochs, last):
    """A history of that many epochs, whose validation error ends at `last`."""
    falling = np.geomspace(0.6, 0.3, epochs)
    history = {"epoch": np.arange(1.0, epochs + 1), "validation_accuracy": 1 - falling * last / 0.3}
    return history | {"train_loss": falling, "validation_loss": falling}


def robustness(share):
    """Rows of three corruptions."""
    shares = {"accuracy": share, "low": share - 0.01, "high": share + 0.01, "n": 2000}
    return [{"corruption": name} | shares for name in NAMES]


def reliability(bins):
    """Rows of the last bins."""
    return [
        {"bin": 0.9 - i / 15, "confidence": 0.95 - i / 15, "accuracy": 0.9, "n": 10**i}
        for i in range(bins)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            (figures.plot_learning_curves, curves(n, last))
            for n, last in ((1, 0.3), (2, 0.006), (20, 0.3))
        ),
        *((figures.plot_robustness, robustness(share), 0.99) for share in (0.05, 0.98)),
        *((figures.plot_reliability, reliability(n)) for n in (1, 4)),
    ],
    ids=lambda arguments: arguments[0].__name__,
)
def test_a_figure_can_be_read(drawn, arguments):
    """Three labels on each axis with numbers, no line under a legend, and titles not cut."""
    figure = drawn(*arguments)
    for axes in figure.axes:
        texts = [axes.title, axes._left_title]
        if legend := axes.get_legend():
            bottom, top = legend.get_window_extent().intervaly
            assert axes.get_window_extent().y1 - 1 <= bottom
            assert top <= axes._left_title.get_window_extent().y0
            texts += legend.get_texts()
        for box in (text.get_window_extent() for text in texts if text.get_text()):
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        for axis in (axes.xaxis, axes.yaxis):
            is_shared = axis.get_tick_params().get("labelbottom") is False
            assert is_shared or len(labels(axis)) >= 3
