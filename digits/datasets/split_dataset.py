"""Read a source, divide its images, and write the three splits and what is to know of them."""

from pathlib import Path

from digits.datasets import data_findings, data_report, duplicates, split_files
from digits.datasets.image_source import SourceImages, read_source
from digits.datasets.split_files import LabelledImages
from digits.datasets.stratified_split import Indices, check_splits, class_counts, divide
from digits.project import atomic_files
from digits.project.data_params import DataParams
from digits.project.params_schema import SplitParams


def write_splits(
    data: DataParams,
    params: SplitParams,
    raw: Path,
    paths: dict[str, Path],
    reports: dict[str, Path],
) -> None:
    """Write the splits to `paths`, one for each name, and what was found to `reports`.

    These are `split`, the counts of each class; `data`, a few numbers; and `page`.

    An image of which an equal one is in another split is dropped from training. Raises UserError,
    and writes nothing, when the source cannot be read or divided.
    """
    source = read_source(data, raw)
    keys = duplicates.content_keys(source.images)
    divided = divide(source, data.test, params)
    indices, dropped = duplicates.without_leaks(keys, divided)
    check_splits(source, indices, data.test)
    counts = {
        "pictures": {name: len(part) for name, part in indices.items()},
        "classes": {name: of.tolist() for name, of in class_counts(source, indices).items()},
        "shared": duplicates.shared_counts(keys, divided),
    }
    for name, path in paths.items():
        split_files.save(_select(source, indices[name], data), path)
        print(f"{name:10} {len(indices[name]):6,} images  {path}")
    for name, leaks in dropped.items():
        if leaks:
            print(
                f"{len(leaks):,} images were dropped from {name}: equal ones are in another split"
            )
    print(f"images that are in two splits of the source: {counts['shared']}")
    found = data_findings.find(source, keys, indices, dropped)
    atomic_files.write_json(reports["split"], counts)
    atomic_files.write_json(reports["data"], found.counts())
    data_report.write_page(found, reports["page"])
    for sentence in filter(None, [*found.absent, found.hint]):
        print(sentence)


def _select(source: SourceImages, part: Indices, data: DataParams) -> LabelledImages:
    files = () if data.source == "mnist" else tuple(source.names[i] for i in part)
    arrays = source.images[part], source.labels[part]
    return LabelledImages(*arrays, source.classes, source.format, files)
