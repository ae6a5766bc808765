"""Read what the names of sub-folders say of the images in them: class, split and group.

Labels in a table are read in `labelled_folder`, which is where to begin.
"""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from digits.datasets.image_files import list_folder
from digits.preprocessing import class_names
from digits.project.errors import UserError

# Folders with these names hold the class folders of one split.
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_NAMES |= dict.fromkeys(("val", "valid", "validation"), "validation")
MAX_NAME = 200  # characters of a class
EXPECTED = "a sub-folder of images per class, or a table labels.csv"


@dataclass(frozen=True)
class LabelledFile:
    """An image file, its label, and the group and the split that it belongs to (may be empty).

    The label is the name of one class, or the digits on the image with `/` between rows;
    `single` is whether it is one class. A group is, for example, a writer.
    """

    file: str
    label: str
    single: bool
    group: str = ""
    split: str = ""


def list_classes(folder: Path, test: str = "") -> dict[str, list[LabelledFile]]:
    """List the images of each class folder, also within folders such as train, val and test.

    `test` names the folder of the test images, if it has another name. Raises UserError for a
    folder that may be a class or a split.
    """
    splits = {p.name: SPLIT_NAMES[p.name.lower()] for p in _split_folders(folder, test)}
    if test:
        splits[test] = "test"
    files: dict[str, list[LabelledFile]] = {}
    for name, split in splits.items():
        for label in sub_folders(folder / name):
            files.setdefault(label.name, []).extend(_files(label, split))
    for label in sub_folders(folder):
        if label.name not in splits:
            files.setdefault(label.name, []).extend(_files(label, ""))
    return files


def _split_folders(folder: Path, test: str) -> list[Path]:
    """Find the sub-folders that are splits and not classes."""
    inside = [p for p in sub_folders(folder) if p.name != test]
    named = [p for p in inside if p.name.lower() in SPLIT_NAMES]
    others = {p.name for p in inside} - {p.name for p in named}
    splits = []
    for part in named:
        below = {p.name for p in sub_folders(part)}
        if below and (not others or below & others):
            splits.append(part)
        elif SPLIT_NAMES[part.name.lower()] != "train" or not others:
            problem = "is it a class, or images without labels?"
            advice = f"rename it, move it out, or put folders of classes into it ({EXPECTED})"
            raise UserError(
                f"{part} has the name of a split and no class folders: {problem} {advice}"
            )
    return splits


def sub_folders(folder: Path) -> list[Path]:
    """List the folders in `folder` that are not hidden, sorted by name."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _files(folder: Path, split: str) -> list[LabelledFile]:
    """List the images of one class; the first folder below it is the name of a group."""
    depth, name = len(folder.parts), folder.name
    found = (Path(file) for file in list_folder(str(folder)))
    return [
        LabelledFile(str(p), name, True, p.parts[depth] if len(p.parts) > depth + 1 else "", split)
        for p in found
    ]


def check_class_names(names: list[str]) -> None:
    """Raise UserError for a name that cannot be shown, and for two that look the same.

    Single letters may differ by case alone, as A and a do.
    """
    alike: dict[str, str] = {}
    for name in names:
        if len(name) > MAX_NAME or not class_names.can_be_shown(name):
            expected = f"expected 1 to {MAX_NAME} characters that can be shown"
            raise UserError(f"the class name {name[:50]!r} cannot be used; {expected}; rename it")
        form = unicodedata.normalize("NFC", name)
        key = form if len(form) == 1 else form.casefold()
        if key in alike:
            is_form = unicodedata.normalize("NFC", alike[key]) == form
            first, second = map(ascii if is_form else repr, (alike[key], name))
            problem = f"the classes {first} and {second} differ in case or Unicode form alone"
            raise UserError(f"{problem}; rename one, or put their images together")
        alike[key] = name
