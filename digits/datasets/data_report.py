"""Write what was found in a data set as one page that needs no server, network or script.

It shows images, which may be personal, so it is kept by DVC and not by git. What is to find is in
`data_findings`.
"""

import base64
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.datasets import contact_sheet
from digits.datasets.data_findings import Findings, Pair
from digits.datasets.stratified_split import class_counts
from digits.preprocessing.image_decoding import DecodedImage
from digits.preprocessing.image_format import ImageFormat
from digits.project import atomic_files, html_templates

TEMPLATE = Path(__file__).with_name("data_report.html")
COLUMNS, ROWS = 8, 3  # of the images of a class
MAX_CLASSES = 200  # that are shown with images
MAX_PAIRS = 24  # that are shown of each kind
MAX_SIZES = 12
BINS = 64  # of the brightness
MAX_CARDS, CARD_SIDE = 200, 110  # on a contact sheet, and pixels of one
SHOWN_SIDE = 96  # pixels: larger images are reduced
GAP = 2  # pixels between images
Pixels = NDArray[np.uint8]


def write_page(findings: Findings, path: Path) -> None:
    """Write the page to `path`, whole or not at all."""
    atomic_files.write_bytes(path, render_page(findings).encode())


def render_page(findings: Findings) -> str:
    """Return the page as HTML, with its images embedded."""
    source, splits = findings.source, findings.splits
    within = [(a, b) for a, b in findings.near if splits[a] == splits[b]]
    across = [(a, b) for a, b in findings.near if splits[a] != splits[b]]
    values = {
        "facts": _facts(findings),
        "hint": findings.hint,
        "splits": list(findings.indices),
        "absent": findings.absent,
        "classes": _class_rows(findings),
        "fitted": _describe(source.format),
        "sizes": _sizes(source.sizes),
        "brightness": _brightness(source.images),
        "sheets": _sheets(findings),
        "conflicts": _pairs(findings, findings.conflicts),
        "equal": _pairs(findings, findings.equal),
        "near_across": _pairs(findings, across),
        "near_within": _pairs(findings, within),
        "unreadable": [reason for _, reason in source.unreadable],
    }
    return html_templates.render(TEMPLATE, **values)


def draw_sheet(sample: dict[str, list[DecodedImage]], path: Path, command: str) -> None:
    """Draw some images of each class, before they are fitted, as a PNG."""
    per_class = max(1, MAX_CARDS // max(len(sample), 1))
    cards = [
        contact_sheet.thumbnail_card(image, [(name, contact_sheet.INK)], CARD_SIDE)
        for name, images in sample.items()
        for image in images[: min(per_class, ROWS)]
    ]
    heading = f"{len(sample):,} classes"
    contact_sheet.write_sheet(cards[:MAX_CARDS], heading, path, command)


def _facts(findings: Findings) -> list[tuple[str, str]]:
    """Return the numbers at the head of the page, those that are 0 left out."""
    counts = findings.counts()
    first = {name: counts.pop(name) for name in ("images", "classes")}
    return [(name.replace("_", " "), f"{n:,}") for name, n in (first | counts).items() if n]


def _describe(image_format: ImageFormat) -> str:
    color = "gray" if image_format.channels == 1 else "in color"
    return f"{image_format.side} x {image_format.side} pixels, {color}"


def _class_rows(findings: Findings) -> list[dict[str, Any]]:
    """Return a row for each class: its name, its images per split, its share of all."""
    source = findings.source
    table = np.stack(list(class_counts(source, findings.indices).values()), axis=1)
    total = table.sum(1)
    return [
        {
            "name": name,
            "counts": table[i].tolist(),
            "share": total[i] / total.sum(),
            "length": total[i] / total.max(),
        }
        for i, name in enumerate(source.classes)
    ]


def _sizes(sizes: NDArray[np.int64]) -> list[tuple[str, int]]:
    """Return the most frequent sizes with their counts, and the count of all others."""
    counted = Counter(map(tuple, sizes.tolist()))
    common = [(f"{w} x {h}", n) for (w, h), n in counted.most_common(MAX_SIZES)]
    rest = len(sizes) - sum(n for _, n in common)
    low, high = sizes.min(0), sizes.max(0)
    name = f"{len(counted) - MAX_SIZES:,} others, {low[0]} x {low[1]} to {high[0]} x {high[1]}"
    return [*common, (name, rest)] if rest else common


def _brightness(images: Pixels) -> list[float]:
    """Return a histogram of the mean brightness of the images, its highest bin 1."""
    means = images.reshape(len(images), -1).mean(1)
    counts = np.histogram(means, BINS, (0, 255))[0]
    return [float(value) for value in counts / max(counts.max(), 1)]


def _sheets(findings: Findings) -> list[tuple[str, str]]:
    """Return a picture of training images for each class, with its caption."""
    source, train = findings.source, findings.indices["train"]
    chosen = np.random.default_rng(0)
    sheets = []
    for label, name in enumerate(source.classes[:MAX_CLASSES]):
        members = train[source.labels[train] == label]
        some = chosen.choice(members, min(len(members), COLUMNS * ROWS), replace=False)
        sheets.append((image_url(source.images[np.sort(some)], source.format), name))
    return sheets


def _pairs(findings: Findings, pairs: list[Pair]) -> dict[str, Any]:
    """Return the number of pairs, and pictures of the first ones with captions."""
    source, figures = findings.source, []
    for pair in pairs[:MAX_PAIRS]:
        captions = [
            f"{source.names[i]} ({source.classes[source.labels[i]]}, {findings.splits[i]})"
            for i in pair
        ]
        url = image_url(source.images[list(pair)], source.format, columns=2)
        figures.append((url, " and ".join(captions)))
    return {"count": len(pairs), "figures": figures}


def image_url(images: Pixels, image_format: ImageFormat, columns: int = COLUMNS) -> str:
    """Return images side by side as a data URL; glyphs are dark on light."""
    shown = 255 - images if image_format.kind == "glyphs" else images
    step = min(image_format.side, SHOWN_SIDE) + GAP
    rows = -(-len(shown) // columns)
    paper = Image.new("RGB" if image_format.channels == 3 else "L", (columns * step, rows * step))
    paper.paste("white", (0, 0, *paper.size))
    for i, pixels in enumerate(shown):
        image = Image.fromarray(pixels)
        image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        paper.paste(image, (i % columns * step, i // columns * step))
    buffer, kind = io.BytesIO(), "PNG" if image_format.channels == 1 else "JPEG"
    paper.save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
