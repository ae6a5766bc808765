"""Figures of one model's scores and training, drawn with matplotlib, one PNG per function.

Sheets of images and cards, drawn with Pillow, are in `datasets.contact_sheet`.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from digits.evaluation import scores
from digits.evaluation.scores import Floats, Ints
from digits.preprocessing import class_names
from digits.preprocessing.image_format import ImageFormat

INK, BLUE, ORANGE, GRAY = "#1f2933", "#2563eb", "#ea580c", "#9aa5b1"
STYLE: Any = {
    **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
    "axes.edgecolor": GRAY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "text.parse_math": False,  # a "$" in a name is a dollar
}
DPI = 130
COLUMNS = 8  # of a grid of images
MAX_CLASSES = 60  # of a confusion matrix; of more, those with the most mistakes are shown


@contextmanager
def figure_file(size: tuple[float, float], path: Path) -> Iterator[Figure]:
    """Yield a figure of `size` inches to draw on; then write it to `path` as PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", dpi=DPI)
        yield figure
        figure.savefig(path, metadata={"Software": None})


def plot_learning_curves(history: dict[str, Floats], path: Path) -> None:
    """Plot loss and error per epoch, from the columns of metrics/history.csv; mark the best."""
    epochs, errors = history["epoch"], 100 * (1 - history["validation_accuracy"])
    best = int(np.lexsort((history["validation_loss"], errors))[0])
    label = f"best: {errors[best]:.2f} % in epoch {epochs[best]:.0f}"
    line: Any = {"marker": "o", "markersize": 4 if len(epochs) < 10 else 0}
    with figure_file((9, 3.4), path) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(epochs, history["train_loss"], color=GRAY, label="training (augmented)", **line)
        left.plot(epochs, history["validation_loss"], color=BLUE, label="validation", **line)
        right.plot(epochs, errors, color=BLUE, **line)
        right.plot(epochs[best], errors[best], "o", color=ORANGE, label=label)
        for axes, title in ((left, "Cross-entropy"), (right, "Validation error, %")):
            axes.set(xlabel="epoch", yscale="log", xlim=(0, epochs[-1] + 1))
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            use_plain_log_ticks(axes.yaxis)
            put_legend_above(axes, title)


def put_legend_above(axes: Axes, title: str, **options: Any) -> None:
    """Put title and legend above the axes, the legend below the title, where nothing is drawn."""
    axes.set_title(title, loc="left", pad=24)
    place: Any = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1), "borderaxespad": 0.1}
    axes.legend(frameon=False, ncols=2, columnspacing=1.2, **place, **options)


def use_plain_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis, whose range is final, with three to six plain numbers."""
    low, high = sorted(axis.get_view_interval())
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    choices = [decades, *np.outer(((1, 2, 5),), decades).reshape(1, -1)]
    choices += [MaxNLocator(n).tick_values(low, high) for n in (4, 6, 9)]
    visible = [np.sort(ticks[(ticks >= low) & (ticks <= high)]) for ticks in choices]
    ticks = next((ticks for ticks in visible if len(ticks) >= 3), visible[-1])
    step = -(-len(ticks) // 6)
    axis.set_ticks(ticks[::step], [f"{tick:,.6g}" for tick in ticks[::step]])
    axis.set_minor_locator(NullLocator())


def plot_confusion(labels: Ints, predicted: Ints, classes: list[str], path: Path) -> None:
    """Plot the confusion matrix: true classes downwards, predicted ones across.

    The color scale ends at twice the most frequent mistake: on a scale up to the diagonal,
    where most images are, mistakes would be invisible.
    """
    counts = confusion_matrix(labels, predicted, labels=range(len(classes)))
    shown, title = _most_confused(counts), "Test images by class"
    if len(shown) < len(classes):
        title = f"The {len(shown)} of {len(classes)} classes with the most mistakes"
    counts, names = counts[np.ix_(shown, shown)], [display_name(classes[i]) for i in shown]
    mistakes = counts[~np.eye(len(shown), dtype=bool)]
    scale = {"vmax": max(4, mistakes.max(initial=0) * 2)}
    side = max(6.0, 0.24 * len(shown) + 0.09 * max(map(len, names)))
    with figure_file((side, side), path) as figure:
        axes = figure.subplots()
        matrix = ConfusionMatrixDisplay(counts, display_labels=names)
        matrix.plot(ax=axes, cmap="Oranges", colorbar=False, values_format=",", im_kw=scale)
        axes.set(title=title, xlabel="predicted", ylabel="true")
        if len(shown) > 12:
            _shrink_labels(axes, matrix.text_.flat, counts.flat)
        elif max(map(len, names)) > 6:
            axes.tick_params(axis="x", rotation=90)


def _most_confused(counts: Ints) -> Ints:
    """Return the classes that are shown of a confusion matrix, in their order."""
    mistakes = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-mistakes, kind="stable")[:MAX_CLASSES])


def _shrink_labels(axes: Axes, texts: Iterable[Any], counts: Iterable[int]) -> None:
    """Make room in a large matrix: smaller letters, names upright, no zeros."""
    axes.tick_params(labelsize=7, length=2)
    axes.tick_params(axis="x", rotation=90)
    for text, count in zip(texts, counts, strict=True):
        text.set(fontsize=6, visible=bool(count))


def display_name(name: str) -> str:
    """Return a class's name for a figure: short, and without what the font does not have."""
    characters = _font_characters()
    known = (c if ord(c) in characters else f"U+{ord(c):X} " for c in class_names.shorten(name, 24))
    return class_names.shorten("".join(known).strip(), 30)


@functools.cache
def _font_characters() -> frozenset[int]:
    """Return the characters of matplotlib's own font."""
    found = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return frozenset(found.get_charmap())


def displayed(images: NDArray[np.uint8], image_format: ImageFormat) -> NDArray[np.uint8]:
    """Return images as people expect them: glyphs dark on light, others as they are."""
    return 255 - images if image_format.kind == "glyphs" else images


def plot_reliability(curve: list[dict[str, float]], path: Path) -> None:
    """Plot accuracy against confidence; a calibrated model lies on the diagonal.

    Bars are 95 % intervals, which are wide where a bin has few images.
    """
    confidence = [row["confidence"] for row in curve]
    shares = np.array([row["accuracy"] for row in curve])
    counts = [(round(row["accuracy"] * row["n"]), int(row["n"])) for row in curve]
    bounds = np.array([scores.wilson_interval(right, n) for right, n in counts])
    spread, error = np.abs(bounds.T - shares), scores.calibration_error(curve)
    with figure_file((5, 5), path) as figure:
        top, bottom = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        top.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--")
        top.errorbar(confidence, shares, spread, color=BLUE, fmt="o", capsize=3, linewidth=1)
        top.set(title=f"Calibration: ECE {error:.2%}", ylabel="share right", ylim=(-0.03, 1.03))
        left, width = [row["bin"] for row in curve], 0.9 / scores.BINS
        bottom.bar(left, [n for _, n in counts], width, align="edge", color=GRAY)
        bottom.set(yscale="log", xlabel="confidence", ylabel="images", xlim=(0, 1.02))
        bottom.set_ylim(0.8, max(100, 2 * max(n for _, n in counts)))
        use_plain_log_ticks(bottom.yaxis)


def plot_robustness(rows: Sequence[dict[str, Any]], clean: float, path: Path) -> None:
    """Plot the accuracy under each corruption with its interval, beside that without any."""
    ordered = sorted(rows, key=lambda row: row["accuracy"])
    names = [row["corruption"].replace("_", " ") for row in ordered]
    shares = 100 * np.array([row["accuracy"] for row in ordered])
    bounds = 100 * np.array([[row["low"], row["high"]] for row in ordered]).T
    style: Any = {"color": BLUE, "ecolor": INK, "capsize": 2, "height": 0.65}
    with figure_file((7, 4.6), path) as figure:
        axes = figure.subplots()
        axes.barh(names, shares, xerr=np.abs(bounds - shares), **style)
        axes.axvline(100 * clean, color=ORANGE, linewidth=1, label=f"clean: {clean:.2%}")
        heading = f"Accuracy on corrupted images, % (n = {ordered[0]['n']:,} each)"
        axes.set_xlim(0, 101)
        put_legend_above(axes, heading)


def plot_image_grid(
    images: NDArray[np.uint8], captions: Sequence[tuple[str, bool]], heading: str, path: Path
) -> None:
    """Draw images (n, side, side[, 3]) in rows of eight, each below its caption.

    A caption is a text of one line or two, and whether it is about a mistake, which makes it
    orange.
    """
    rows = max(1, -(-len(images) // COLUMNS))
    width, height = COLUMNS * 1.15, rows * 1.45
    with figure_file((width, height + 0.35), path) as figure:
        figure.set_layout_engine("none")
        # one axes for all images: every axes more takes time
        axes = figure.add_axes((0, 0, 1, height / (height + 0.35)))
        axes.set(xlim=(0, 32 * COLUMNS), ylim=(40 * rows, 0))
        axes.axis("off")
        figure.text(0.01, 1 - 0.3 / (height + 0.35), heading, fontsize="large", weight="bold")
        size = 9 if max((len(text) for text, _ in captions), default=0) < 15 else 6.5
        for index, (image, (text, wrong)) in enumerate(zip(images, captions, strict=True)):
            row, column = divmod(index, COLUMNS)
            left, top = 32 * column + 2, 40 * row + 10
            axes.imshow(image, "gray", vmin=0, vmax=255, extent=(left, left + 28, top + 28, top))
            color = ORANGE if wrong else INK
            shown = [class_names.shorten(display_name(line), 21) for line in text.split("\n")]
            axes.text(
                left + 14, top - 1.5, "\n".join(shown), fontsize=size, ha="center", color=color
            )
