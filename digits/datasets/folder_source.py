"""List the labelled files of the folder that params.yaml names, and report damaged ones.

How a folder says what its images are is in `labelled_folder` and `folder_layout`.
"""

import os
import sys
from pathlib import Path

from digits.datasets import folder_layout, labelled_folder
from digits.datasets.folder_layout import EXPECTED, LabelledFile
from digits.project import workspace
from digits.project.data_params import DataParams
from digits.project.errors import UserError


def list_files(data: DataParams) -> list[LabelledFile]:
    """List the images of `data.path` with their labels, groups and splits.

    Raises UserError, one line, when the folder does not say what `data` expects of it.
    """
    folder = Path(data.path)
    if not folder.exists() and ".dvc/tmp/exps/" in Path.cwd().as_posix():
        whole = workspace.state_root() / folder
        advice = f"write data.path as {os.path.normpath(whole)}" if whole.exists() else "check it"
        raise UserError(f"data.path is {data.path}, which is not in DVC's copy; {advice}")
    labelled_folder.check_folder(folder, "name the folder in data.path")
    table = folder / labelled_folder.TABLE
    files = _from_table(table, data) if table.is_file() else _from_folders(folder, data)
    folder_layout.check_class_names(sorted({file.label for file in files}))
    return files


def _from_table(table: Path, data: DataParams) -> list[LabelledFile]:
    """List the files of a table that has the columns which `data` needs."""
    files, columns = labelled_folder.read_files(table), labelled_folder.columns(table)
    needed = {"group": data.group == "column", "split": data.test == "split"}
    for column in (name for name, is_needed in needed.items() if is_needed and name not in columns):
        key = "data.group" if column == "group" else "data.test"
        has = ", ".join(sorted(columns))
        raise UserError(f"{table} has no column {column} ({has}); add it, or change {key}")
    if data.group == "folder":
        raise UserError(f"data.group is folder, and {table} has the labels; use column or none")
    root = os.path.abspath(table.parent)  # noqa: PTH100
    for file in files:
        path = os.path.normpath(os.path.join(root, os.path.relpath(file.file, table.parent)))  # noqa: PTH118
        if not path.startswith(root + os.sep):
            raise UserError(f"{table}: {file.file} is outside of data.path; move it inside")
    return files


def _from_folders(folder: Path, data: DataParams) -> list[LabelledFile]:
    """List the files of class folders."""
    for key, value, column in (("test", data.test, "split"), ("group", data.group, "column")):
        if value == column:
            missing = f"there is no {labelled_folder.TABLE} in {folder}"
            raise UserError(
                f"data.{key} is {column}, and {missing}; write one, or change data.{key}"
            )
    classes = folder_layout.list_classes(folder, _test_folder(folder, data))
    if not classes:
        raise UserError(f"{folder} has no class folders; expected {EXPECTED}")
    for name in (name for name, files in classes.items() if not files):
        raise UserError(f"{folder}: the class folder {name} has no image; remove it or fill it")
    files = [file for files in classes.values() for file in files]
    if data.group == "folder" and (loose := [f.file for f in files if not f.group]):
        raise UserError(f"data.group is folder, and {loose[0]} is in no folder below its class")
    return files


def _test_folder(folder: Path, data: DataParams) -> str:
    """Return the name of the folder of the test images, if `data.test` names one."""
    if not isinstance(data.test, str) or data.test in {"official", "split"}:
        return ""
    if not (folder / data.test).is_dir() or Path(data.test).name != data.test:
        here = ", ".join(p.name for p in folder_layout.sub_folders(folder)[:5])
        raise UserError(
            f"data.test is {data.test}; expected a folder in {folder} ({here}), or a share"
        )
    return data.test


def report_unreadable(unreadable: list[tuple[str, str]], total: int, action: str) -> None:
    """Print each file that cannot be read. Raises UserError if `action` is stop."""
    for _, reason in unreadable:
        print(reason, file=sys.stderr)
    if not unreadable:
        return
    count = f"{len(unreadable):,} of {total:,} images cannot be read"
    if action == "stop":
        advice = "repair or remove them, or set data.unreadable to skip"
        raise UserError(f"{count}, {Path(unreadable[0][0]).name} is the first; {advice}")
    print(f"{count} and were left out", flush=True)
