"""Pictures for people, from scores and history. The only module that draws."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from digits.evaluation.scores import BINS, Ints, wilson_interval

INK = "#1f2933"
BLUE = "#2563eb"
ORANGE = "#ea580c"
GREY = "#9aa5b1"
STYLE: Any = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}
DPI = 130
COLUMNS = 8  # of a grid of pictures


@contextmanager
def figure_file(size: tuple[float, float], path: Path) -> Iterator[Figure]:
    """Give a figure of `size` inches to fill; then write it to `path` as PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", dpi=DPI)
        yield figure
        figure.savefig(path, metadata={"Software": None})


def plot_learning_curves(history: dict[str, NDArray[np.floating]], path: Path) -> None:
    """Loss and error per epoch, from the columns of metrics/history.csv; the best is marked."""
    epochs = history["epoch"]
    errors = 100 * (1 - history["validation_accuracy"])
    best = int(np.lexsort((history["validation_loss"], errors))[0])

    with figure_file((9, 3.4), path) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(epochs, history["train_loss"], color=GREY, label="training (augmented)")
        left.plot(epochs, history["validation_loss"], color=BLUE, label="validation")
        left.set(title="Cross-entropy", xlabel="epoch", yscale="log")
        left.legend(frameon=False)
        right.plot(epochs, errors, color=BLUE)
        told = f"best: {errors[best]:.2f} % in epoch {epochs[best]:.0f}"
        right.plot(epochs[best], errors[best], "o", color=ORANGE, label=told)
        right.legend(frameon=False)
        right.set(title="Validation error, %", xlabel="epoch", yscale="log")
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
            use_plain_log_ticks(axes.yaxis)


def use_plain_log_ticks(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis out."""
    axis.set_major_formatter(_format_tick)
    axis.set_minor_formatter(_format_tick)


def _format_tick(value: float, _position: float) -> str:
    """A tick of a logarithmic axis as a person writes it: 1, 2 and 5 of each decade."""
    leading = f"{value:e}"[0]
    return f"{value:g}" if leading in "125" else ""


def plot_confusion(labels: Ints, predicted: Ints, classes: list[str], path: Path) -> None:
    """How many pictures of each true class, downwards, were given each class, across.

    The scale of colours ends soon above the mistakes: beside 98 % they would not be seen.
    """
    counts = confusion_matrix(labels, predicted, labels=range(len(classes)))
    mistakes = counts[~np.eye(len(classes), dtype=bool)]

    with figure_file((6, 6), path) as figure:
        axes = figure.subplots()
        shown = ConfusionMatrixDisplay(counts, display_labels=classes)
        scale = {"vmax": max(4, mistakes.max() * 2)}
        shown.plot(ax=axes, cmap="Oranges", colorbar=False, values_format=",", im_kw=scale)
        axes.set(title="Test pictures by class", xlabel="predicted", ylabel="true")


def plot_reliability(curve: Sequence[dict[str, float]], error: float, path: Path) -> None:
    """Accuracy against confidence; on the diagonal, probabilities mean what they say.

    Bars are 95 % intervals: bins with few pictures tell little.
    """
    confidence = [row["confidence"] for row in curve]
    shares = np.array([row["accuracy"] for row in curve])
    bounds = np.array([wilson_interval(round(r["accuracy"] * r["n"]), int(r["n"])) for r in curve])

    with figure_file((5, 5), path) as figure:
        top, bottom = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        top.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        spread = np.abs(bounds.T - shares)
        top.errorbar(confidence, shares, spread, color=BLUE, fmt="o", capsize=3, linewidth=1)
        top.set(title=f"Calibration: ECE {error:.2%}", ylabel="share right", ylim=(-0.03, 1.03))
        left, width = [row["bin"] for row in curve], 0.9 / BINS
        bottom.bar(left, [row["n"] for row in curve], width, align="edge", color=GREY)
        bottom.set(yscale="log", xlabel="confidence", ylabel="pictures", xlim=(0, 1.01))


def plot_robustness(rows: Sequence[dict[str, Any]], clean: float, path: Path) -> None:
    """Accuracy under each corruption with its interval, beside that on clean pictures."""
    ordered = sorted(rows, key=lambda row: row["accuracy"])
    shares = 100 * np.array([row["accuracy"] for row in ordered])
    bounds = 100 * np.array([[row["low"], row["high"]] for row in ordered]).T

    with figure_file((7, 4.6), path) as figure:
        axes = figure.subplots()
        names = [row["corruption"].replace("_", " ") for row in ordered]
        style: Any = {"color": BLUE, "ecolor": INK, "capsize": 2, "height": 0.65}
        axes.barh(names, shares, xerr=np.abs(bounds - shares), **style)
        axes.axvline(100 * clean, color=ORANGE, linewidth=1, label=f"clean: {clean:.2%}")
        heading = f"Accuracy on corrupted pictures, % (n = {ordered[0]['n']:,} each)"
        axes.set(title=heading, xlim=(0, 101))
        axes.legend(frameon=False, loc="lower right")


def plot_image_grid(
    images: NDArray[np.uint8],
    titles: Sequence[str],
    wrong: Sequence[bool],
    heading: str,
    path: Path,
) -> None:
    """Pictures (n, 28, 28) in rows of eight, each below its title; wrong ones stand out."""
    rows = max(1, -(-len(images) // COLUMNS))
    width, height = COLUMNS * 1.15, rows * 1.45
    with figure_file((width, height + 0.35), path) as figure:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, height / (height + 0.35)))  # one for all: 32 take seconds
        axes.set(xlim=(0, 32 * COLUMNS), ylim=(40 * rows, 0))
        axes.axis("off")
        figure.text(0.01, 1 - 0.3 / (height + 0.35), heading, fontsize="large", weight="bold")
        for index, (image, title, bad) in enumerate(zip(images, titles, wrong, strict=True)):
            row, column = divmod(index, COLUMNS)
            left, top = 32 * column + 2, 40 * row + 10
            axes.imshow(image, "gray_r", vmin=0, vmax=255, extent=(left, left + 28, top + 28, top))
            colour = ORANGE if bad else INK
            axes.text(left + 14, top - 2, title, fontsize=9, ha="center", color=colour)
