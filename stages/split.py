"""Divide the images into training, validation and test images: `python -m stages.split`."""

from pathlib import Path

from digits.datasets import split_dataset
from digits.project import stage
from digits.project.data_params import DataParams
from digits.project.params_schema import SplitParams


def split(
    data: DataParams,
    split: SplitParams,
    raw: Path = Path("data/raw"),
    *,
    training: Path = Path("data/splits/train.npz"),
    validation: Path = Path("data/splits/validation.npz"),
    test: Path = Path("data/splits/test.npz"),
    report: Path = Path("metrics/split.json"),
    numbers: Path = Path("metrics/data.json"),
    page: Path = Path("metrics/data.html"),
) -> None:
    """Write the three splits, the counts of their classes, and what was found in the images."""
    paths = {"train": training, "validation": validation, "test": test}
    reports = {"split": report, "data": numbers, "page": page}
    split_dataset.write_splits(data, split, raw, paths, reports)


if __name__ == "__main__":
    stage.main(split)
