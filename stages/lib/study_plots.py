"""Pictures of a study: how it went, what mattered, and where good values lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from stages.lib.plots import BLUE, GREY, ORANGE, plain_log, save

COLUMNS = 3  # of slices


@dataclass(frozen=True)
class Point:
    """A trial: its validation error in %, and what it trained with."""

    number: int
    error: float
    finished: bool  # else it was pruned, and the error is that of its best epoch
    setting: dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """Where the values of one parameter stand on an axis."""

    name: str
    positions: NDArray[np.float64]
    ticks: dict[float, str]  # empty: numbers, on a scale of their own
    log: bool


def axes_of(points: Sequence[Point], logarithmic: Sequence[str]) -> list[Axis]:
    """One axis per parameter; lists and words stand in order, at equal distances."""
    return [_axis(points, key, log=key in logarithmic) for key in points[0].setting]


def _axis(points: Sequence[Point], key: str, *, log: bool) -> Axis:
    values = [point.setting[key] for point in points]
    name = key.rpartition(".")[2].replace("_", " ")
    if all(isinstance(value, float) for value in values):
        return Axis(name, np.array(values), {}, log)
    ordered = sorted({_text(v): v for v in values}.items(), key=lambda item: _order(item[1]))
    places = {text: float(place) for place, (text, _) in enumerate(ordered)}
    positions = np.array([places[_text(value)] for value in values])
    return Axis(name, positions, {place: text for text, place in places.items()}, log=False)


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _order(value: Any) -> tuple[int, Any]:
    """Numbers by size, lists by length and entries, words by letter."""
    if isinstance(value, list):
        return 1, (len(value), value)
    return (0, value) if isinstance(value, int | float) else (2, str(value))


def history(points: Sequence[Point], began: float | None, path: Path) -> None:
    """Each trial's error in the order of the trials, the best so far, and what `began` it."""
    numbers = np.array([point.number for point in points])
    errors = np.array([point.error for point in points])
    ended = np.array([point.finished for point in points])
    best = np.minimum.accumulate(np.where(ended, errors, np.inf))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(numbers[~ended], errors[~ended], "x", color=GREY, label="pruned")
        axes.plot(numbers[ended], errors[ended], "o", color=BLUE, label="finished")
        axes.step(numbers, best, where="post", color=ORANGE, label=f"best: {best[-1]:.2f} %")
        if began is not None:
            axes.axhline(began, color=GREY, linewidth=1, linestyle="--", label="current values")
        axes.set(title="Validation error, %", xlabel="trial", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _plain_errors(axes, errors)
        axes.legend(frameon=False)

    save(draw, (7, 3.6), path)


def importances(shares: dict[str, float], path: Path) -> None:
    """How much of the differences between trials each parameter accounts for."""
    ordered = sorted(shares.items(), key=lambda item: item[1])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = [name for name, _ in ordered]
        bars = axes.barh(names, [100 * share for _, share in ordered], color=BLUE, height=0.65)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.set(title="Importance (PED-ANOVA), %")

    save(draw, (7, 1 + 0.32 * len(ordered)), path)


def parallel(points: Sequence[Point], axes: Sequence[Axis], path: Path) -> None:
    """A line per trial across its parameters and its error; the best ones stand out."""
    ended = np.array([point.finished for point in points])
    errors = np.array([point.error for point in points])
    axes = [*axes, Axis("error, %", errors, {}, log=True)]
    heights = np.stack([_share(axis) for axis in axes])
    ranks = np.argsort(np.argsort(np.where(ended, errors, np.inf)))
    few = max(1, int(ended.sum()) // 5)

    def draw(figure: Figure) -> None:
        plane = figure.subplots()
        for index in np.argsort(-ranks):
            good = bool(ended[index] and ranks[index] < few)
            color = ORANGE if ranks[index] == 0 else BLUE if good else GREY
            style: Any = {"alpha": 1, "linewidth": 1.6} if good else {"alpha": 0.35, "linewidth": 1}
            plane.plot(heights[:, index], color=color, **style)
        plane.set_xticks(range(len(axes)), [axis.name for axis in axes])
        plane.set_yticks([])
        plane.spines[:].set_visible(False)
        plane.set(title="What each trial trained with; the best in colour", ylim=(-0.12, 1.12))
        for place, axis in enumerate(axes):
            plane.axvline(place, color=GREY, linewidth=1)
            for height, text in _marks(axis):
                plane.text(place + 0.04, height, text, fontsize=7, va="center")

    save(draw, (1.6 * len(axes) + 1, 4.2), path)


def slices(points: Sequence[Point], axes: Sequence[Axis], path: Path) -> None:
    """Error against each parameter, one small picture each."""
    errors = np.array([point.error for point in points])
    ended = np.array([point.finished for point in points])
    rows = -(-len(axes) // COLUMNS)

    def draw(figure: Figure) -> None:
        cells: list[Axes] = list(figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).flat)
        for cell in cells[len(axes) :]:
            cell.axis("off")
        for cell, axis in zip(cells, axes, strict=False):
            cell.plot(axis.positions[~ended], errors[~ended], "x", color=GREY, markersize=4)
            cell.plot(axis.positions[ended], errors[ended], "o", color=BLUE, markersize=4)
            cell.set(title=axis.name, yscale="log")
            if axis.log:
                cell.set_xscale("log")
                plain_log(cell.xaxis)
            if axis.ticks:
                cell.set_xticks(list(axis.ticks), list(axis.ticks.values()), fontsize=7)
                cell.tick_params("x", rotation=45)
            _plain_errors(cell, errors)
        figure.supylabel("validation error, %", fontsize=10)

    save(draw, (3 * COLUMNS, 2.5 * rows + 0.3), path)


def _share(axis: Axis) -> NDArray[np.float64]:
    """Positions between 0 and 1."""
    places = np.log(axis.positions) if axis.log else axis.positions
    low, high = places.min(), places.max()
    shares: NDArray[np.float64] = (places - low) / ((high - low) or 1.0)
    return shares


def _marks(axis: Axis) -> list[tuple[float, str]]:
    """Heights on a vertical axis, and what stands there."""
    shares = _share(axis)
    if axis.ticks:
        found = {float(p): float(s) for p, s in zip(axis.positions, shares, strict=True)}
        return [(height, axis.ticks[place]) for place, height in found.items()]
    ends = {float(shares[i]): f"{axis.positions[i]:.3g}" for i in axis.positions.argsort()[[0, -1]]}
    return list(ends.items())


def _plain_errors(axes: Axes, errors: NDArray[np.float64]) -> None:
    """Write errors out; errors of no use to anybody do not squeeze the others."""
    low, high = errors.min(), min(errors.max(), 5 * float(np.median(errors)))
    axes.set_ylim(max(low, 0.01) / 1.1, high * 1.1)
    plain_log(axes.yaxis)
