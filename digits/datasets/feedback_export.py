"""What becomes of stored feedback: counts, a contact sheet, arrays to train on."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digits.datasets import contact_sheet, split_files
from digits.datasets import feedback_store as kept
from digits.datasets.feedback_store import Correction
from digits.datasets.split_files import LabelledImages
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import decode_image
from digits.project import atomic_files, hashing, text_table
from digits.project.errors import UserError

MAKER = "digits feedback"  # stands in pictures made here, which may be replaced
SIDE = 132  # pixels of a picture on the contact sheet
CARDS = 400  # pictures on it at most, the latest
ARRAYS, PROVENANCE = "feedback.npz", "provenance.json"


def format_counts(rows: list[Correction]) -> str:
    """How many pictures there are of each label and version, and how many were misread."""
    lines = [["all", str(len(rows)), str(sum(row.wrong for row in rows))]]
    for name_of in (_class, _version):
        n, wrong = Counter(map(name_of, rows)), Counter(name_of(row) for row in rows if row.wrong)
        lines += [[name, str(n[name]), str(wrong[name])] for name in sorted(n)]
    note = "No accuracy: people tell of mistakes more readily than of what is right."
    return f"{text_table.format_table(['', 'pictures', 'misread'], lines)}\n\n{note}"


def _class(row: Correction) -> str:
    return f"class {row.label}" if len(row.label) == 1 else "several digits"


def _version(row: Correction) -> str:
    return f"read by {row.name} {row.version}"


def draw_corrections(folder: Path, rows: list[Correction], path: Path) -> None:
    """The latest pictures with their labels and what they were read as."""
    contact_sheet.check_overwritable(path, MAKER)
    cards = [_card(folder, row) for row in rows[-CARDS:]]
    wrong = sum(row.wrong for row in rows)
    shown = "" if len(cards) == len(rows) else f"; the latest {len(cards)}"
    heading = f"{len(rows):,} pictures that people labelled, {wrong:,} of them misread{shown}"
    contact_sheet.write_sheet(cards, heading, path, MAKER)


def _card(folder: Path, row: Correction) -> Image.Image:
    scan = decode_image(kept.read_image(folder, row), row.file)
    said = f"read as {row.answer}" if row.answer else "no digit found"
    lines = [
        (row.label, contact_sheet.INK),
        (said, contact_sheet.ORANGE if row.wrong else contact_sheet.GREY),
        (f"{row.name} {row.version}", contact_sheet.GREY),
    ]
    return contact_sheet.thumbnail_card(scan, lines, SIDE)


def export_arrays(folder: Path, rows: list[Correction], target: Path) -> str:
    """Write what a network sees of the pictures, and where each comes from."""
    contact_sheet.check_new_folder(target, "the export")
    images: list[np.ndarray] = []
    labels: list[int] = []
    used, left_out = [], []
    for row in sorted(rows, key=lambda row: row.sha256):
        seen, why = _extract_labelled(folder, row)
        if why:
            left_out.append({"why": why, **asdict(row)})
            continue
        used.append({"first": len(labels), "count": len(seen), **asdict(row)})
        images.extend(seen)
        labels += map(int, row.label.replace("/", ""))
    if not used:
        raise UserError(f"{folder}: in none of {len(rows)} pictures were the labelled digits found")
    pictures = LabelledImages(np.stack(images), np.array(labels, np.int64))
    with atomic_files.atomic_folder(target) as partial:
        split_files.save(pictures, partial / ARRAYS)
        atomic_files.write_json(
            partial / PROVENANCE, _provenance(partial, pictures, used, left_out)
        )
    more = f"; {len(left_out)} pictures left out, {PROVENANCE} says why" if left_out else ""
    return f"exported: {len(labels):,} digits of {len(used):,} pictures to {target}{more}"


def _extract_labelled(folder: Path, row: Correction) -> tuple[np.ndarray, str]:
    """The digits (n, 28, 28) of a picture, or why they cannot be had as labelled."""
    lengths = [len(line) for line in row.label.split("/")]
    several = len(row.label) > 1
    found = extract_glyphs(decode_image(kept.read_image(folder, row), row.file), several)
    if np.bincount(found.rows).tolist() == lengths:
        return found.images, ""
    return found.images, f"{len(found.images)} digits found, {sum(lengths)} labelled"


def _provenance(
    folder: Path,
    pictures: LabelledImages,
    used: list[dict[str, Any]],
    left_out: list[dict[str, Any]],
) -> dict[str, Any]:
    """What tells where each array comes from; without the time of the export."""
    return {
        "made_by": f"{MAKER} --export",
        "file": ARRAYS,
        "sha256": hashing.file_sha256(folder / ARRAYS),
        "digits": len(pictures),
        "classes": dict(sorted(Counter(map(str, pictures.labels.tolist())).items())),
        "pictures": used,
        "left_out": left_out,
    }
