"""Find images that are the same, pixel by pixel, and keep them out of two splits at once."""

import hashlib
import itertools
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def content_keys(images: NDArray[np.uint8]) -> list[bytes]:
    """Return a hash of the pixels of each image."""
    return [hashlib.blake2b(image, digest_size=16).digest() for image in images]


def equal_images(keys: list[bytes]) -> list[list[int]]:
    """Return the indices of equal images, two or more in a list."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        same[key].append(i)
    return [indices for indices in same.values() if len(indices) > 1]


def without_leaks(
    keys: list[bytes], indices: dict[str, Indices]
) -> tuple[dict[str, Indices], dict[str, list[int]]]:
    """Drop from training what is in validation or test, and from validation what is in test.

    Returns the splits, and the indices of the dropped images by the split that they were in.
    """
    kept, dropped = dict(indices), {}
    for name, others in (("validation", ("test",)), ("train", ("validation", "test"))):
        taken = {keys[i] for other in others for i in kept[other]}
        leaks = np.array([keys[i] in taken for i in indices[name]], bool)
        kept[name], dropped[name] = indices[name][~leaks], indices[name][leaks].tolist()
    return kept, dropped


def shared_counts(keys: list[bytes], indices: dict[str, Indices]) -> dict[str, int]:
    """Count the different images that are in both of two splits, for each pair of splits."""
    sets = {name: {keys[i] for i in part} for name, part in indices.items()}
    pairs = itertools.combinations(sorted(sets), 2)
    return {f"{a} and {b}": len(sets[a] & sets[b]) for a, b in pairs}
