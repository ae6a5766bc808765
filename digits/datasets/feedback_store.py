"""What people said of answers: each picture once, with the label that they gave it last.

    data/feedback/labels.csv          a row per picture, `digits score data/feedback` reads it
    data/feedback/pictures/<SHA-256>.png   its bytes as they were sent

The table is written whole after its pictures, under a lock that all processes share, so a
killed writer leaves at most a picture that no row names yet.
"""

import hashlib
import io
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import filelock
from PIL import Image

from digits.datasets import labelled_folder
from digits.datasets.labelled_folder import TABLE
from digits.preprocessing.image_decoding import decode_image
from digits.project import atomic_files
from digits.project.errors import UserError

FOLDER = Path("data/feedback")
IMAGE_FOLDER = "pictures"
MAX_IMAGE_BYTES = 16 * 2**20  # bytes of one picture
MAX_IMAGES = 20_000  # pictures
MAX_IMAGE_PIXELS = 24_000_000  # of one picture; what a telephone takes
MAX_TOTAL_BYTES = 4 * 2**30  # bytes of all pictures
LOCK_TIMEOUT = 20  # seconds for other writers


class StoreFullError(UserError):
    """No more is stored."""


class DamagedTableError(UserError):
    """The table is not what `store` writes."""


@dataclass(frozen=True)
class Correction:
    """A row: `file` relative to the table, the `label` a person gave, what was `answer`ed.

    `answer` is empty where no digit was found; `status` that of the answer; `model_sha256`
    the content hash of the model `name` `version` that answered; `size` in bytes; `time`
    when the label was given, in UTC.
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
        """Whether the answer is not what the person said."""
        return self.answer != self.label

    @property
    def sha256(self) -> str:
        """The picture's."""
        return Path(self.file).stem


COLUMNS = [field.name for field in fields(Correction)]


def add_correction(folder: Path, picture: bytes, label: str, **facts: str) -> Correction:
    """Keep `picture` with its `label`; of the same bytes the last label counts.

    `facts` are the columns that the caller knows: answer, status, probability, name, version,
    model_sha256. Raises UserError when the bytes are no picture, FullError when there are too
    many already.
    """
    if len(picture) > MAX_IMAGE_BYTES:
        raise UserError(
            f"the picture has {len(picture):,} bytes, at most {MAX_IMAGE_BYTES:,} are stored"
        )
    decode_image(picture, "the picture", MAX_IMAGE_PIXELS)
    with Image.open(io.BytesIO(picture)) as image:
        kind = str(image.format).lower()
    row = Correction(
        file=f"{IMAGE_FOLDER}/{hashlib.sha256(picture).hexdigest()}.{kind}",
        label=label,
        size=str(len(picture)),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    )
    (folder / IMAGE_FOLDER).mkdir(parents=True, exist_ok=True)
    # the system drops the lock when its holder dies
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock"), timeout=LOCK_TIMEOUT):
        others = [other for other in read_corrections(folder) if other.file != row.file]
        _check_room(others, row)
        if not (folder / row.file).exists():
            atomic_files.write_bytes(folder / row.file, picture)
        atomic_files.write_csv(folder / TABLE, list(map(asdict, [*others, row])))
    return row


def _check_room(others: list[Correction], row: Correction) -> None:
    total = sum(int(other.size) for other in others) + int(row.size)
    if len(others) >= MAX_IMAGES or total > MAX_TOTAL_BYTES:
        found = f"{len(others):,} pictures are stored"
        raise StoreFullError(f"{found}, no more are taken; move the folder away to begin anew")


def read_corrections(folder: Path) -> list[Correction]:
    """All rows, in the order of their labels' times; none where nothing is stored yet.

    Raises DamagedError when the table is not what `store` writes.
    """
    table = folder / TABLE
    if not table.exists():
        return []
    try:
        found = [Correction(**row) for _, row in labelled_folder.read_table(table)]
        for row in found:
            int(row.size)
        return found
    except (UserError, ValueError, TypeError) as error:
        found_at = f"{table} is not what was stored there ({error})"
        raise DamagedTableError(
            f"{found_at}; mend it, its columns are {','.join(COLUMNS)}"
        ) from error


def read_image(folder: Path, row: Correction) -> bytes:
    """The bytes of a row's picture. Raises UserError when they are gone or others."""
    path = folder / row.file
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; remove its line from {TABLE}") from error
    if hashlib.sha256(picture).hexdigest() != row.sha256:
        raise UserError(f"{path} is not what was stored there; remove it and its line in {TABLE}")
    return picture
