"""What becomes of stored feedback: counts, a contact sheet, arrays to train on."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stages.lib import dataset, files, preview, table
from stages.lib import feedback as kept
from stages.lib.dataset import Pictures
from stages.lib.decode import decode
from stages.lib.errors import UserError
from stages.lib.feedback import Correction
from stages.lib.preprocess import find

MAKER = "digits feedback"  # stands in pictures made here, which may be replaced
SIDE = 132  # pixels of a picture on the contact sheet
CARDS = 400  # pictures on it at most, the latest
ARRAYS, PROVENANCE = "feedback.npz", "provenance.json"


def counts(rows: list[Correction]) -> str:
    """How many pictures there are of each label and version, and how many were misread."""
    lines = [["all", str(len(rows)), str(sum(row.wrong for row in rows))]]
    for name_of in (_class, _version):
        n, wrong = Counter(map(name_of, rows)), Counter(name_of(row) for row in rows if row.wrong)
        lines += [[name, str(n[name]), str(wrong[name])] for name in sorted(n)]
    note = "No accuracy: people tell of mistakes more readily than of what is right."
    return f"{table.aligned(['', 'pictures', 'misread'], lines)}\n\n{note}"


def _class(row: Correction) -> str:
    return f"class {row.label}" if len(row.label) == 1 else "several digits"


def _version(row: Correction) -> str:
    return f"read by {row.name} {row.version}"


def draw(folder: Path, rows: list[Correction], path: Path) -> None:
    """The latest pictures with their labels and what they were read as."""
    preview.check_ours(path, MAKER)
    cards = [_card(folder, row) for row in rows[-CARDS:]]
    wrong = sum(row.wrong for row in rows)
    shown = "" if len(cards) == len(rows) else f"; the latest {len(cards)}"
    heading = f"{len(rows):,} pictures that people labelled, {wrong:,} of them misread{shown}"
    preview.write_sheet(cards, heading, path, MAKER)


def _card(folder: Path, row: Correction) -> Image.Image:
    scan = decode(kept.content(folder, row), row.file)
    said = f"read as {row.answer}" if row.answer else "no digit found"
    lines = [
        (row.label, preview.INK),
        (said, preview.ORANGE if row.wrong else preview.GREY),
        (f"{row.name} {row.version}", preview.GREY),
    ]
    return preview.thumbnail(scan, lines, SIDE)


def export(folder: Path, rows: list[Correction], target: Path) -> str:
    """Write what a network sees of the pictures, and where each comes from."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there and not empty; name a new folder for the export")
    images: list[np.ndarray] = []
    labels: list[int] = []
    used, left_out = [], []
    for row in sorted(rows, key=lambda row: row.sha256):
        seen, why = _seen(folder, row)
        if why:
            left_out.append({"why": why, **asdict(row)})
            continue
        used.append({"first": len(labels), "count": len(seen), **asdict(row)})
        images.extend(seen)
        labels += map(int, row.label.replace("/", ""))
    if not used:
        raise UserError(f"{folder}: in none of {len(rows)} pictures were the labelled digits found")
    pictures = Pictures(np.stack(images), np.array(labels, np.int64))
    with files.replacing_folder(target) as partial:
        dataset.save(pictures, partial / ARRAYS)
        files.write_json(partial / PROVENANCE, _provenance(partial, used, left_out))
    more = f"; {len(left_out)} pictures left out, {PROVENANCE} says why" if left_out else ""
    return f"exported: {len(labels):,} digits of {len(used):,} pictures to {target}{more}"


def _seen(folder: Path, row: Correction) -> tuple[np.ndarray, str]:
    """The digits (n, 28, 28) of a picture, or why they cannot be had as labelled."""
    lengths = [len(line) for line in row.label.split("/")]
    several = len(row.label) > 1
    found = find(decode(kept.content(folder, row), row.file), several)
    if np.bincount(found.rows).tolist() == lengths:
        return found.pictures, ""
    return found.pictures, f"{len(found.pictures)} digits found, {sum(lengths)} labelled"


def _provenance(
    folder: Path, used: list[dict[str, Any]], left_out: list[dict[str, Any]]
) -> dict[str, Any]:
    """What tells where each array comes from; without the time of the export."""
    return {
        "made_by": f"{MAKER} --export",
        "file": ARRAYS,
        "sha256": files.sha256(folder / ARRAYS),
        "pictures": used,
        "left_out": left_out,
    }
