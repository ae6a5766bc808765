"""Look at the images of a folder or a data set, before anything is decided about them.

Every file's header is read, and a sample is decoded. What `digits data` proposes to do with the
images is in `training.data_proposal`.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from digits.datasets import folder_source, idx_files, labelled_folder, torchvision_source
from digits.datasets.folder_layout import LabelledFile
from digits.datasets.image_files import read_image_bytes
from digits.preprocessing.image_decoding import DecodedImage, decode_image, image_header
from digits.project.data_params import DOWNLOADS, DataParams
from digits.project.errors import UserError
from digits.project.progress_bar import ProgressBar

SAMPLE = 400  # images that are decoded
MIN_GROUPS = 3
MIN_IMAGES, MAX_IMBALANCE = 20, 10  # of classes, before they are remarked on
COLORFUL = 16  # levels between the channels of a pixel
COLOR_SHARE = 0.05  # of the sample in color, from which all are taken as color
MAX_STROKE = 0.15  # half the width of the widest stroke, a share of the glyph's longer side
MAX_INK = 0.5  # share of the image that is ink, where it is a glyph
MIN_GLYPH_SIDE = 16  # pixels of an image on which a glyph can be found


@dataclass(frozen=True)
class DataLook:
    """What was found. `classes` and `parts` are numbers of images by name, `sizes` is (n, 2).

    `group` and `test` are what the section `data` may say of them. `sample` has some images of
    each class. `unreadable` are lines with file and reason.
    """

    source: str
    path: str
    classes: dict[str, int]
    parts: dict[str, int]
    group: str
    groups: int
    test: float | str
    sizes: NDArray[np.int64]
    modes: dict[str, int]
    unreadable: list[str]
    sample: dict[str, list[DecodedImage]]

    @property
    def images(self) -> int:
        """The number of images, with unreadable ones."""
        return sum(self.classes.values())

    @property
    def oddities(self) -> list[str]:
        """Sentences on what somebody may want to know before training."""
        low, high = min(self.classes.values()), max(self.classes.values())
        few = [name for name, n in self.classes.items() if n < MIN_IMAGES]
        said = (
            [f"{len(few):,} classes have under {MIN_IMAGES} images: {', '.join(few[:5])}"]
            if few
            else []
        )
        if high > MAX_IMBALANCE * low:
            said.append(f"the largest class has {high / low:.0f} times the images of the smallest")
        return said

    @property
    def color(self) -> bool:
        """Whether the sample has more than a few images in color."""
        colorful = [_is_color(image) for images in self.sample.values() for image in images]
        return bool(np.mean(colorful) > COLOR_SHARE)

    @property
    def glyphs(self) -> bool:
        """Whether the images of the sample are strokes on a background."""
        widths = [_stroke_width(image) for images in self.sample.values() for image in images]
        return not self.color and bool(np.median(widths) < MAX_STROKE)


def look(source: str, path: str) -> DataLook:
    """Look at a source: mnist, torchvision:NAME, or folder with its `path`."""
    return _look_at_folder(path) if source == "folder" else _look_at_data_set(source)


def _look_at_folder(path: str) -> DataLook:
    values = {"source": "folder", "path": path, "kind": "images", "size": 28, "channels": 1}
    values |= {"fit": "pad", "test": "official", "group": "none", "unreadable": "skip"}
    files = folder_source.list_files(DataParams.model_validate(values))
    is_table = (Path(path) / labelled_folder.TABLE).is_file()
    parts = Counter(file.split for file in files if file.split)
    test: float | str = 0.2 if "test" not in parts else "split" if is_table else "official"
    groups = {file.group for file in files} - {""}
    is_grouped = len(groups) >= MIN_GROUPS and all(file.group for file in files)
    group = "none" if not is_grouped else "column" if is_table else "folder"
    classes = dict(sorted(Counter(file.label for file in files).items()))
    if len(classes) < 2:
        raise UserError(f"{path} has one class, {files[0].label}; expected two or more")
    sizes, modes, unreadable = _read_headers(files)
    if not len(sizes):
        raise UserError(f"{path}: none of {len(files):,} files is an image ({unreadable[0]})")
    sample = _decode_sample(files, classes)
    found = (classes, dict(parts), group, len(groups), test, sizes, modes, unreadable, sample)
    return DataLook("folder", path, *found)


def _read_headers(
    files: list[LabelledFile],
) -> tuple[NDArray[np.int64], dict[str, int], list[str]]:
    """Read size and mode of every file; lines that name the unreadable ones."""

    def read(file: LabelledFile) -> tuple[tuple[int, int], str, str]:
        try:
            return *image_header(read_image_bytes(file.file), file.file), ""
        except UserError as error:
            return (0, 0), "", str(error)

    bar = ProgressBar(len(files), "images")
    headers = []
    with ThreadPoolExecutor() as pool:
        for header in pool.map(read, files, chunksize=64):
            headers.append(header)
            bar.update(len(headers))
    bar.clear()
    sizes = np.array([size for size, _, problem in headers if not problem], np.int64)
    modes = Counter(mode for _, mode, problem in headers if not problem)
    problems = [problem for _, _, problem in headers if problem]
    return sizes.reshape(-1, 2), dict(modes.most_common()), problems


def _decode_sample(
    files: list[LabelledFile], classes: dict[str, int]
) -> dict[str, list[DecodedImage]]:
    """Decode some images of each class, spread over its files."""
    by_class: dict[str, list[str]] = {name: [] for name in classes}
    for file in files:
        by_class[file.label].append(file.file)
    return {name: list(_decode_some(of, len(classes))) for name, of in by_class.items()}


def _decode_some(files: list[str], classes: int) -> Iterator[DecodedImage]:
    for file in files[:: max(1, len(files) // max(2, SAMPLE // classes))]:
        try:
            yield decode_image(read_image_bytes(file), file)
        except UserError:
            continue


def _look_at_data_set(source: str) -> DataLook:
    raw = Path(DOWNLOADS)
    if source == "mnist":
        parts = idx_files.read_parts(raw)
    else:
        torchvision_source.download(source, raw)
        parts = torchvision_source.read_parts(source, raw)
    images = [image for arrays, _ in parts.values() for image in arrays]
    labels = [label for _, names in parts.values() for label in names]
    classes = dict(sorted(Counter(labels).items()))
    sample: dict[str, list[DecodedImage]] = {name: [] for name in classes}
    for i in range(0, len(images), max(1, len(images) // SAMPLE)):
        pixels = images[i] if images[i].ndim == 3 else np.repeat(images[i][..., None], 3, axis=2)
        sample[labels[i]].append(DecodedImage(pixels, (pixels.shape[1], pixels.shape[0])))
    sizes = np.array([image.shape[1::-1] for image in images])
    modes = dict(Counter("L" if image.ndim == 2 else "RGB" for image in images))
    counts = {name: len(names) for name, (_, names) in parts.items()}
    return DataLook(
        source, DOWNLOADS, classes, counts, "none", 0, "official", sizes, modes, [], sample
    )


def _is_color(image: DecodedImage) -> bool:
    return bool((np.ptp(image.pixels, axis=2) > COLORFUL).mean() > COLOR_SHARE)


def _stroke_width(image: DecodedImage) -> float:
    """Half the width of the widest stroke, a share of the longer side of all ink.

    It is 1 for an image that cannot be a glyph.
    """
    gray = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    ink = gray if np.median(border) < 128 else 255 - gray
    mask = cv2.threshold(ink, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    if min(gray.shape) < MIN_GLYPH_SIDE or not 0 < mask.mean() < MAX_INK:
        return 1.0
    side = max(cv2.boundingRect(mask)[2:])
    return float(cv2.distanceTransform(mask, cv2.DIST_L2, 5).max() / side)
