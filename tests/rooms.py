"""Draw the rooms, their sizes and the imports between them: the picture in docs/architecture.md.

python -m tests.rooms
"""

import tomllib
from collections import Counter
from pathlib import Path

import grimp
from matplotlib.figure import Figure
from matplotlib.patches import Arc

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/rooms.png"
BLUE, GRAY, INK = "#2563eb", "#9aa5b1", "#1f2933"


def layers():
    """The rows of rooms from the top, as pyproject.toml orders them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    order = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers")
    return [name.strip() for row in order for name in row.split("|")]


def imports():
    """How many modules of one room import a module of another: (importer, imported) -> number."""
    graph = grimp.build_graph("digits", "stages", cache_dir=None)
    counts = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            rooms = room(module), room(imported)
            if rooms[0] != rooms[1] and None not in rooms:
                counts[rooms] += 1
    return counts


def room(module):
    """The room of a module: `stages`, or the first two parts of its name; None for the package."""
    parts = module.split(".")
    return parts[0] if parts[0] == "stages" else ".".join(parts[:2]) if parts[1:] else None


def size(name):
    """The files of a room, and their lines."""
    path = ROOT / name.replace(".", "/")
    files = list(path.glob("*.py")) or [path.with_suffix(".py")]
    return len(files), sum(len(file.read_text().splitlines()) for file in files)


def draw(path):
    """Write the picture: a row per room, an arc for each room that it imports."""
    names = layers()
    figure = Figure(figsize=(9, 6.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-6.2, 7.0), ylim=(len(names) - 0.5, -1.1))
    axes.axis("off")
    axes.text(-6.1, -0.75, "Rooms and their imports", weight="bold", size=13, color=INK)
    longest = max(size(name)[1] for name in names)
    for row, name in enumerate(names):
        files, lines = size(name)
        axes.barh(row, -3.2 * lines / longest, 0.62, color=GRAY, alpha=0.45)
        axes.text(-0.1, row, name.removeprefix("digits."), ha="right", va="center", weight="bold")
        extent = f"{files} file{'s'[: files > 1]}, {lines:,} lines"
        axes.text(-3.4, row, extent, ha="right", va="center", color=INK)
        axes.plot(0.15, row, "o", color=BLUE, markersize=5)
    for (importer, imported), count in imports().items():
        start, end = names.index(importer), names.index(imported)
        middle, height = (start + end) / 2, abs(end - start)
        width = 0.4 + 0.12 * count**0.5 * 2
        axes.add_patch(
            Arc((0.15, middle), 1.1 * height, height, theta1=-90, theta2=90, color=BLUE,
                linewidth=width, alpha=0.45 if end > start else 1)
        )  # fmt: skip
    told = "An arc runs down from a room to one that it imports; thick: many imports."
    axes.text(0.1, -0.75, told, size=9, color=INK)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    draw(PICTURE)
    print(PICTURE)
