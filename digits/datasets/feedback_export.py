"""Summarize stored corrections: counts, a contact sheet, arrays to train on.

Storing and reading corrections is in `feedback_store`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digits.datasets import contact_sheet, feedback_store, split_files
from digits.datasets.feedback_store import Correction
from digits.datasets.split_files import CLASSES, LabelledImages
from digits.preprocessing import class_names
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import decode_image
from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.preprocessing.image_front import ImageFront
from digits.project import atomic_files, hashing, text_table
from digits.project.errors import UserError

COMMAND = "digits feedback"  # its name is written into sheets; only such files are overwritten
SIDE = 132  # pixels, of an image on the contact sheet
MAX_CARDS = 400  # images on the sheet, the latest ones
ARRAYS, PROVENANCE = "feedback.npz", "provenance.json"
Entries = list[dict[str, Any]]  # corrections in the provenance file


def count_corrections(
    rows: list[Correction], classes: Sequence[str] = CLASSES
) -> list[dict[str, Any]]:
    """Count images and misread images: all, those of each label, and of each model version."""
    counts: list[dict[str, Any]] = []
    for group in (lambda _: "all", partial(_class, classes), _version):
        n, wrong = Counter(map(group, rows)), Counter(group(row) for row in rows if row.wrong)
        counts += [{"of": name, "images": n[name], "misread": wrong[name]} for name in sorted(n)]
    return counts


def format_counts(counts: list[dict[str, Any]]) -> str:
    """Format them as a table."""
    lines = [list(map(str, count.values())) for count in counts]
    note = "This is not an accuracy: people report mistakes more often than right answers."
    return f"{text_table.format_table(['', 'images', 'misread'], lines)}\n\n{note}"


def _class(classes: Sequence[str], row: Correction) -> str:
    plain = row.label.replace("/", "")
    is_several = len(plain) > 1 and (plain.isdecimal() or row.label.startswith("["))
    if is_several and row.label not in classes:
        return "several digits" if plain.isdecimal() else "several labels"
    return f"class {class_names.shorten(row.label, 40)}"


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
    answer = f"read as {row.answer}" if row.answer else f"{row.status} found"
    model = (f"{row.name} {row.version}", contact_sheet.GRAY)
    color = contact_sheet.ORANGE if row.wrong else contact_sheet.GRAY
    lines = [(row.label, contact_sheet.INK), (answer, color), model]
    image = decode_image(feedback_store.read_image(folder, row), row.file)
    return contact_sheet.thumbnail_card(image, lines, SIDE)


def export_arrays(
    folder: Path,
    rows: list[Correction],
    target: Path,
    classes: list[str] = CLASSES,
    image_format: ImageFormat = MNIST,
) -> str:
    """Write the network's inputs of all images with their labels, and the correction of each.

    An image whose number of glyphs differs from its label is left out, and so is one with a label
    that is none of `classes`. Returns a summary.
    """
    contact_sheet.check_new_folder(target, "the export")
    images: list[np.ndarray] = []
    labels: list[int] = []
    used, left_out = [], []
    for row in sorted(rows, key=lambda row: row.sha256):
        found = class_names.parse_labels(row.label, classes)
        glyphs, problem = _extract_labelled(folder, row, found, image_format)
        if problem:
            left_out.append({"why": problem, **asdict(row)})
            continue
        used.append({"first": len(labels), "count": len(glyphs), **asdict(row)})
        images.extend(glyphs)
        labels += [classes.index(label) for line in found for label in line]
    if not used:
        raise UserError(f"{folder}: in none of {len(rows)} images was found what their label says")
    with atomic_files.atomic_folder(target) as partial:
        arrays = partial / ARRAYS
        named = np.array(labels, np.int64), tuple(classes), image_format
        split_files.save(LabelledImages(np.stack(images), *named), arrays)
        names = [classes[label] for label in labels]
        provenance = _provenance(hashing.file_sha256(arrays), names, used, left_out)
        atomic_files.write_json(partial / PROVENANCE, provenance)
    noun = class_names.noun(classes)
    more = f"; {len(left_out)} images left out, {PROVENANCE} says why" if left_out else ""
    return f"exported: {len(labels):,} {noun}s of {len(used):,} images to {target}{more}"


def _extract_labelled(
    folder: Path, row: Correction, labels: list[list[str]], image_format: ImageFormat
) -> tuple[np.ndarray, str]:
    """Inputs (n, *format.shape) of an image, and why its `labels` do not fit (empty if so)."""
    lengths = [len(line) for line in labels]
    image = decode_image(feedback_store.read_image(folder, row), row.file)
    if image_format.kind == "images":
        fitted = ImageFront(image_format).fit(image.pixels)[None]
        return fitted, "" if lengths == [1] else f"{row.label} is no class of the model"
    glyphs = extract_glyphs(image, lengths != [1], image_format.side)
    if lengths and np.bincount(glyphs.rows).tolist() == lengths:
        return glyphs.images, ""
    noun = "digits" if row.label.replace("/", "").isdecimal() else "glyphs"
    return glyphs.images, f"{len(glyphs.images)} {noun} found, {sum(lengths)} labelled"


def _provenance(sha256: str, labels: list[str], used: Entries, left_out: Entries) -> dict[str, Any]:
    """Describe an export. It has no time of export, so that equal exports have equal bytes."""
    return {
        "made_by": f"{COMMAND} --export",
        "file": ARRAYS,
        "sha256": sha256,
        "digits": len(labels),
        "classes": dict(sorted(Counter(labels).items())),
        "pictures": used,
        "left_out": left_out,
    }
