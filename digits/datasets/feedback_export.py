"""Summarize stored corrections: counts, a contact sheet, arrays to train on.

Storing and reading corrections is in `feedback_store`.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digits.datasets import contact_sheet, feedback_store, split_files
from digits.datasets.feedback_store import Correction
from digits.datasets.split_files import LabelledImages
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import decode_image
from digits.project import atomic_files, hashing, text_table
from digits.project.errors import UserError

COMMAND = "digits feedback"  # its name is written into sheets; only such files are overwritten
SIDE = 132  # pixels, of an image on the contact sheet
MAX_CARDS = 400  # images on the sheet, the latest ones
ARRAYS, PROVENANCE = "feedback.npz", "provenance.json"
Entries = list[dict[str, Any]]  # corrections in the provenance file


def count_corrections(rows: list[Correction]) -> list[dict[str, Any]]:
    """Count images and misread images: all, those of each label, and of each model version."""
    counts: list[dict[str, Any]] = []
    for group in (lambda _: "all", _class, _version):
        n, wrong = Counter(map(group, rows)), Counter(group(row) for row in rows if row.wrong)
        counts += [{"of": name, "images": n[name], "misread": wrong[name]} for name in sorted(n)]
    return counts


def format_counts(counts: list[dict[str, Any]]) -> str:
    """Format them as a table."""
    lines = [list(map(str, count.values())) for count in counts]
    note = "This is not an accuracy: people report mistakes more often than right answers."
    return f"{text_table.format_table(['', 'images', 'misread'], lines)}\n\n{note}"


def _class(row: Correction) -> str:
    return f"class {row.label}" if len(row.label) == 1 else "several digits"


def _version(row: Correction) -> str:
    return f"read by {row.name} {row.version}"


def draw_corrections(folder: Path, rows: list[Correction], path: Path) -> None:
    """Draw the latest images with their labels and the model's answers as a contact sheet."""
    contact_sheet.check_overwritable(path, COMMAND)
    cards = [_card(folder, row) for row in rows[-MAX_CARDS:]]
    wrong = sum(row.wrong for row in rows)
    shown = "" if len(cards) == len(rows) else f"; the latest {len(cards)}"
    heading = f"{len(rows):,} images that people labelled, {wrong:,} of them misread{shown}"
    contact_sheet.write_sheet(cards, heading, path, COMMAND)


def _card(folder: Path, row: Correction) -> Image.Image:
    answer = f"read as {row.answer}" if row.answer else "no digit found"
    model = (f"{row.name} {row.version}", contact_sheet.GRAY)
    color = contact_sheet.ORANGE if row.wrong else contact_sheet.GRAY
    lines = [(row.label, contact_sheet.INK), (answer, color), model]
    image = decode_image(feedback_store.read_image(folder, row), row.file)
    return contact_sheet.thumbnail_card(image, lines, SIDE)


def export_arrays(folder: Path, rows: list[Correction], target: Path) -> str:
    """Write the glyphs of all images with their labels, and the correction of each glyph.

    An image whose number of glyphs differs from its label is left out. Returns a summary.
    """
    contact_sheet.check_new_folder(target, "the export")
    images: list[np.ndarray] = []
    labels: list[int] = []
    used, left_out = [], []
    for row in sorted(rows, key=lambda row: row.sha256):
        glyphs, problem = _extract_labelled(folder, row)
        if problem:
            left_out.append({"why": problem, **asdict(row)})
            continue
        used.append({"first": len(labels), "count": len(glyphs), **asdict(row)})
        images.extend(glyphs)
        labels += map(int, row.label.replace("/", ""))
    if not used:
        raise UserError(f"{folder}: in none of {len(rows)} images were the labelled digits found")
    with atomic_files.atomic_folder(target) as partial:
        arrays = partial / ARRAYS
        split_files.save(LabelledImages(np.stack(images), np.array(labels, np.int64)), arrays)
        provenance = _provenance(hashing.file_sha256(arrays), labels, used, left_out)
        atomic_files.write_json(partial / PROVENANCE, provenance)
    more = f"; {len(left_out)} images left out, {PROVENANCE} says why" if left_out else ""
    return f"exported: {len(labels):,} digits of {len(used):,} images to {target}{more}"


def _extract_labelled(folder: Path, row: Correction) -> tuple[np.ndarray, str]:
    """Glyphs (n, 28, 28) of an image, and why they do not match its label (empty if they do)."""
    lengths = [len(line) for line in row.label.split("/")]
    image = decode_image(feedback_store.read_image(folder, row), row.file)
    glyphs = extract_glyphs(image, len(row.label) > 1)
    if np.bincount(glyphs.rows).tolist() == lengths:
        return glyphs.images, ""
    return glyphs.images, f"{len(glyphs.images)} digits found, {sum(lengths)} labelled"


def _provenance(sha256: str, labels: list[int], used: Entries, left_out: Entries) -> dict[str, Any]:
    """Describe an export. It has no time of export, so that equal exports have equal bytes."""
    return {
        "made_by": f"{COMMAND} --export",
        "file": ARRAYS,
        "sha256": sha256,
        "digits": len(labels),
        "classes": dict(sorted(Counter(map(str, labels)).items())),
        "pictures": used,
        "left_out": left_out,
    }
