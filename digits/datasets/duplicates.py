"""Find images that are the same, pixel by pixel, or nearly; keep the same out of two splits.

Near duplicates were stored again, shifted by a pixel, or made brighter. Candidates have similar
magnitudes of their lowest frequencies, which neither a shift nor a factor of the brightness
changes. Of these, the correlation at the best shift decides.
"""

import hashlib
import itertools
from collections import defaultdict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SIDE = 32  # pixels: larger images are reduced to that
FREQUENCIES = 4  # periods per side, the highest that is compared
DIMENSIONS = 5  # principal components of the magnitudes in which candidates are near
NEAR, SIMILAR = 0.03, 0.05  # distances in these components, and in all magnitudes
CORRELATION = 0.99  # of two images at the best shift; two of MNIST's reach it in 50,000
MAX_SHIFT = 1  # pixels
MAX_NEIGHBORS = 20  # mean number of candidates of an image
CHUNK = 8192
Floats = NDArray[np.float32]
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


def find_near_duplicates(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the indices of pairs (k, 2) of near duplicates among different images (n, ...)."""
    small = _reduce(images)
    varied = np.nonzero(np.ptp(small.reshape(len(small), -1), axis=1) > 0)[0]
    if len(varied) < 2:
        return np.zeros((0, 2), np.int64)
    magnitudes = _magnitudes(small[varied])
    pairs = _candidates(magnitudes)
    alike = [_correlation(small[varied[c[:, 0]]], small[varied[c[:, 1]]]) for c in _chunks(pairs)]
    near = pairs[np.concatenate([*alike, np.zeros(0)]) > CORRELATION]
    return varied[near[np.lexsort(near.T[::-1])]]


def _reduce(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images of at most SIDE x SIDE pixels."""
    if images.shape[1] <= SIDE:
        return images
    size = (SIDE, SIDE)
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def _magnitudes(images: NDArray[np.uint8]) -> Floats:
    """Return the magnitudes of the lowest frequencies but the mean, (n, m) of length 1."""
    if images.ndim == 4:
        images = images.mean(3).astype(np.uint8)
    position = np.arange(images.shape[1]) / images.shape[1]
    waves = []
    for y in range(-FREQUENCIES, FREQUENCIES + 1):
        for x in range(FREQUENCIES + 1):
            if x or y > 0:
                waves.append(2 * np.pi * (y * position[:, None] + x * position[None]).ravel())
    basis = np.stack([*map(np.cos, waves), *map(np.sin, waves)], axis=1).astype(np.float32)
    parts = [c.reshape(len(c), -1).astype(np.float32) @ basis for c in _chunks(images)]
    cosines, sines = np.split(np.concatenate(parts), 2, axis=1)
    lengths = np.hypot(cosines, sines)
    return np.asarray(lengths / np.maximum(np.linalg.norm(lengths, axis=1, keepdims=True), 1e-6))


def _candidates(magnitudes: Floats) -> NDArray[np.int64]:
    """Return pairs (k, 2) with similar magnitudes; fewer where most images are alike."""
    centered = magnitudes - magnitudes.mean(0)
    _, components = np.linalg.eigh(centered.T @ centered)
    points = np.ascontiguousarray(centered @ components[:, -DIMENSIONS:])
    tree, radius = cKDTree(points, balanced_tree=False), NEAR
    sample = points[:: max(1, len(points) // 1000)]
    while tree.query_ball_point(sample, radius, return_length=True).mean() > MAX_NEIGHBORS:
        radius /= 2
    pairs = tree.query_pairs(radius, output_type="ndarray")
    distances = np.linalg.norm(magnitudes[pairs[:, 0]] - magnitudes[pairs[:, 1]], axis=1)
    return np.asarray(pairs[distances < SIMILAR])


def _chunks(values: NDArray[Any]) -> list[NDArray[Any]]:
    return [values[i : i + CHUNK] for i in range(0, len(values), CHUNK)]


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Floats:
    """Return the highest correlation of each pair over shifts of at most MAX_SHIFT pixels."""
    shifts, best = range(-MAX_SHIFT, MAX_SHIFT + 1), np.zeros(len(first), np.float32)
    reference = _standardize(first)
    for y in shifts:
        for x in shifts:
            moved = _standardize(np.roll(second, (y, x), (1, 2)))
            best = np.maximum(best, np.einsum("ij,ij->i", reference, moved))
    return best


def _standardize(images: NDArray[np.uint8]) -> Floats:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
