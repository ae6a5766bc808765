"""What is to know of a data set before a model is trained on it: counts, sizes, doubtful images.

The page that shows it is written in `data_report`.
"""

import functools
import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digits.datasets import duplicates
from digits.datasets.image_source import SourceImages
from digits.datasets.stratified_split import class_counts

Indices = NDArray[np.int64]
Pair = tuple[int, int]
PREFIX = re.compile(r"^(.*?[^-_ ])[-_ ]+(?=[^-_ ])")  # of a file name: `ann` of ann_3.png
MIN_PREFIXES = 5  # different beginnings of file names before they are taken for groups


@dataclass(frozen=True)
class Findings:
    """The findings of a divided source.

    `dropped` are images by the split that they were in. Pairs of images are equal or near, in
    one split or across two, and `conflicts` are equal with different labels. `hint` is a sentence
    on groups, or empty.
    """

    source: SourceImages
    indices: dict[str, Indices]
    dropped: dict[str, list[int]]
    equal: list[Pair]
    near: list[Pair]
    conflicts: list[Pair]
    hint: str

    @functools.cached_property
    def splits(self) -> dict[int, str]:
        """The split of each image, also of a dropped one."""
        return _split_names(self.indices, self.dropped)

    @property
    def absent(self) -> list[str]:
        """Sentences on classes that a split has no images of."""
        counts = class_counts(self.source, self.indices)
        return [
            f"Class {self.source.classes[label]} has no image in {name}: no score is about it."
            for name, of in counts.items()
            for label in np.flatnonzero(of == 0)
        ]

    def counts(self) -> dict[str, int]:
        """Return the few numbers that a person compares."""
        classes = np.bincount(self.source.labels, minlength=len(self.source.classes))
        across = [(a, b) for a, b in self.near if self.splits[a] != self.splits[b]]
        return {
            "classes": len(classes),
            "conflicting_labels": len(self.conflicts),
            "dropped": sum(map(len, self.dropped.values())),
            "equal_images": len(self.equal),
            "groups": len(set(self.source.groups.tolist()) - {""}),
            "images": len(self.source.labels),
            "largest_class": int(classes.max()),
            "near_duplicates": len(self.near),
            "near_duplicates_across_splits": len(across),
            "smallest_class": int(classes.min()),
            "unreadable": len(self.source.unreadable),
        }


def _split_names(indices: dict[str, Indices], dropped: dict[str, list[int]]) -> dict[int, str]:
    """Map each image to its split."""
    names = {int(i): name for name, part in indices.items() for i in part}
    return names | {i: name for name, part in dropped.items() for i in part}


def find(
    source: SourceImages,
    keys: list[bytes],
    indices: dict[str, Indices],
    dropped: dict[str, list[int]],
) -> Findings:
    """Look for doubtful images. `keys` are hashes of the images."""
    same = duplicates.equal_images(keys)
    equal = [(group[0], other) for group in same for other in group[1:]]
    conflicts = [pair for pair in equal if source.labels[pair[0]] != source.labels[pair[1]]]
    again = {other for _, other in equal}
    different = np.array([i for i in range(len(keys)) if i not in again])
    near = different[duplicates.find_near_duplicates(source.images[different])].tolist()
    splits = _split_names(indices, dropped)
    hint = _group_hint(source, splits)
    return Findings(source, indices, dropped, equal, list(map(tuple, near)), conflicts, hint)


def _group_hint(source: SourceImages, splits: dict[int, str]) -> str:
    """Say whether file names begin as if images belonged together, and stand in two splits."""
    if source.groups.astype(bool).any() or not any("." in name for name in source.names[:1]):
        return ""
    members: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(source.names):
        file = name.rpartition("/")[2]
        if match := PREFIX.match(file):
            members[match[1]].append(i)
    members = {name: of for name, of in members.items() if name not in source.classes}
    several = {name: of for name, of in members.items() if len(of) > 1}
    torn = [of for of in several.values() if len({splits[i] for i in of}) > 1]
    named = sum(map(len, several.values())) > 0.8 * len(source.names)
    if len(several) < MIN_PREFIXES or not named or not torn:
        return ""
    return (
        f"File names begin with {len(several):,} different words, such as "
        f"{', '.join(list(several)[:3])}, and images of {len(torn):,} of them are in two splits. "
        "If these are, for example, persons, give them as groups (data.group): otherwise the test "
        "overstates the accuracy on new ones."
    )
