"""Reading a folder of PNG files into arrays, compared with OpenCV's bare decoding and resizing.

    python -m tests.bench.bench_folder [gray|color] [COUNT]

Gray: images of 28 pixels; color: of 64; random strokes, so files are as large as usual. Both use
all processors. Prints the median and the range of the ratio of PAIRS alternating runs, and the
memory beside the array.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from digits.datasets.image_fitting import ImageFitter
from digits.preprocessing.image_format import ImageFormat

PAIRS = 7
KINDS = {"gray": (28, 1, 70_000), "color": (64, 3, 15_000)}


def draw(side, channels, rng):
    """Return strokes with noise, uint8."""
    image = rng.integers(0, 30, (side, side, channels), np.uint8)
    for _ in range(3):
        start, end = (tuple(map(int, rng.integers(0, side, 2))) for _ in range(2))
        cv2.line(image, start, end, tuple(map(int, rng.integers(100, 256, 3))), side // 12, 16)
    return image


def bare(files, side, channels):
    """Decode and resize with OpenCV alone."""
    images = np.zeros((len(files), side, side, channels), np.uint8)
    flag = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE

    def read(start):
        for i in range(start, min(start + 256, len(files))):
            pixels = cv2.imread(files[i], flag)
            fitted = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
            images[i] = fitted.reshape(images[i].shape)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, range(0, len(files), 256)))


def seconds(function, *arguments):
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main(kind, count):
    """Write the files, read them in both ways, print the ratio."""
    side, channels, usual = KINDS[kind]
    rng, count = np.random.default_rng(0), count or usual
    fitter = ImageFitter(ImageFormat("images", side, channels))
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, f"{i}.png")) for i in range(count)]
        for file in files:
            cv2.imwrite(file, draw(side, channels, rng))
        cv2.setNumThreads(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times = [
            (seconds(fitter.read_files, files), seconds(bare, files, side, channels))
            for _ in range(PAIRS)
        ]
    ratios = sorted(ours / opencv for ours, opencv in times)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    arrays = count * side * side * channels / 2**20
    print(
        f"{count:,} {kind} files: {statistics.median(t for t, _ in times):.2f} s; bare OpenCV "
        f"{statistics.median(t for _, t in times):.2f} s"
    )
    print(
        f"ratio {statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]; "
        f"{max(0, more - arrays):.0f} MB beside the array of {arrays:.0f} MB"
    )


if __name__ == "__main__":
    main(*(sys.argv[1:2] or ["gray"]), *(map(int, sys.argv[2:3] or [0])))
