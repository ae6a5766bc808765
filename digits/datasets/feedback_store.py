"""Store the labels that people give to answers: each image once, with its latest label.

    data/feedback/labels.csv               a row per image; `digits score data/feedback` reads it
    data/feedback/pictures/<SHA-256>.png   the bytes of an image as they were sent

The table is written after the image, under a lock that all processes share. A killed writer
leaves at most an image without a row. Counts, sheets and exports are in `feedback_export`.
"""

import hashlib
import io
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import filelock
from PIL import Image

from digits.datasets.labelled_folder import TABLE, read_table
from digits.preprocessing.image_decoding import decode_image
from digits.project import atomic_files
from digits.project.errors import UserError

FOLDER = Path("data/feedback")
IMAGE_FOLDER = "pictures"
MAX_IMAGE_BYTES = 16 * 2**20  # of one image
MAX_IMAGES = 20_000
MAX_IMAGE_PIXELS = 24_000_000  # of one image, as telephones take them
MAX_TOTAL_BYTES = 4 * 2**30  # of all images
LOCK_TIMEOUT = 20  # seconds to wait for other writers


class StoreFullError(UserError):
    """The store has reached its number of images or of bytes."""


class DamagedTableError(UserError):
    """The table is not one that `add_correction` wrote."""


@dataclass(frozen=True)
class Correction:
    """A row of the table: a `file` relative to it, the `label` of a person, the model's `answer`.

    `answer` is empty if no digit was found; `status` belongs to the answer. The model `name`
    `version` gave it, and `model_sha256` is its content hash. `size` is in bytes; `time` is when
    the label was given, in UTC.
    """

    file: str
    label: str
    answer: str
    status: str
    probability: str
    name: str
    version: str
    model_sha256: str
    size: str
    time: str

    @property
    def wrong(self) -> bool:
        """Whether the answer differs from the label."""
        return self.answer != self.label

    @property
    def sha256(self) -> str:
        """SHA-256 of the image, from its file name."""
        return Path(self.file).stem


def add_correction(folder: Path, image: bytes, label: str, **columns: str) -> Correction:
    """Store an image with its label; a new label of an image replaces the one before.

    `columns` are answer, status, probability, name, version and model_sha256. Raises UserError
    for bytes that are not an image or are too many, and StoreFullError.
    """
    if len(image) > MAX_IMAGE_BYTES:
        size = f"{len(image):,} bytes"
        raise UserError(f"the image has {size}, at most {MAX_IMAGE_BYTES:,} are stored")
    decode_image(image, "the image", MAX_IMAGE_PIXELS)
    with Image.open(io.BytesIO(image)) as opened:
        file = f"{IMAGE_FOLDER}/{hashlib.sha256(image).hexdigest()}.{str(opened.format).lower()}"
    time = datetime.now(UTC).isoformat(timespec="seconds")
    row = Correction(file=file, label=label, size=str(len(image)), time=time, **columns)
    (folder / IMAGE_FOLDER).mkdir(parents=True, exist_ok=True)
    # the operating system releases the lock when its holder dies
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock"), timeout=LOCK_TIMEOUT):
        others = [other for other in read_corrections(folder) if other.file != file]
        _check_room(others, row)
        if not (folder / file).exists():
            atomic_files.write_bytes(folder / file, image)
        atomic_files.write_csv(folder / TABLE, list(map(asdict, [*others, row])))
    return row


def _check_room(others: list[Correction], row: Correction) -> None:
    """Raise StoreFullError unless `row` fits beside `others`."""
    total = sum(int(other.size) for other in others) + int(row.size)
    if len(others) >= MAX_IMAGES or total > MAX_TOTAL_BYTES:
        count = f"{len(others):,} images are stored"
        raise StoreFullError(f"{count}, no more are taken; move the folder away to begin anew")


def read_corrections(folder: Path) -> list[Correction]:
    """Read all rows in the order of their labels' times; none if nothing is stored yet.

    Raises DamagedTableError when the table is not one that `add_correction` wrote.
    """
    table = folder / TABLE
    if not table.exists():
        return []
    try:
        rows = [Correction(**row) for _, row in read_table(table)]
        for row in rows:
            int(row.size)  # raises ValueError
        return rows
    except (UserError, ValueError, TypeError) as error:
        advice = f"correct it, its columns are {','.join(f.name for f in fields(Correction))}"
        message = f"{table} is not what was stored there ({error}); {advice}"
        raise DamagedTableError(message) from error


def read_image(folder: Path, row: Correction) -> bytes:
    """Read the bytes of a row's image. Raises UserError when they are missing or were changed."""
    path = folder / row.file
    try:
        image = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; remove its line from {TABLE}") from error
    if hashlib.sha256(image).hexdigest() != row.sha256:
        raise UserError(f"{path} is not what was stored there; remove it and its line in {TABLE}")
    return image
