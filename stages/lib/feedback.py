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

from stages.lib import files, labelled
from stages.lib.decode import decode
from stages.lib.errors import UserError
from stages.lib.labelled import TABLE

FOLDER = Path("data/feedback")
PICTURES = "pictures"
LARGEST = 16 * 2**20  # bytes of one picture
MOST = 20_000  # pictures
PIXELS = 24_000_000  # of one picture; what a telephone takes
TOTAL = 4 * 2**30  # bytes of all pictures
PATIENCE = 20  # seconds for other writers


class FullError(UserError):
    """No more is stored."""


class DamagedError(UserError):
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


def store(folder: Path, picture: bytes, label: str, **facts: str) -> Correction:
    """Keep `picture` with its `label`; of the same bytes the last label counts.

    `facts` are the columns that the caller knows: answer, status, probability, name, version,
    model_sha256. Raises UserError when the bytes are no picture, FullError when there are too
    many already.
    """
    if len(picture) > LARGEST:
        raise UserError(f"the picture has {len(picture):,} bytes, at most {LARGEST:,} are stored")
    decode(picture, "the picture", PIXELS)
    with Image.open(io.BytesIO(picture)) as image:
        kind = str(image.format).lower()
    row = Correction(
        file=f"{PICTURES}/{hashlib.sha256(picture).hexdigest()}.{kind}",
        label=label,
        size=str(len(picture)),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    )
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    # the system drops the lock when its holder dies
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock"), timeout=PATIENCE):
        others = [other for other in read(folder) if other.file != row.file]
        _check_room(others, row)
        if not (folder / row.file).exists():
            files.write_bytes(folder / row.file, picture)
        files.write_csv(folder / TABLE, list(map(asdict, [*others, row])))
    return row


def _check_room(others: list[Correction], row: Correction) -> None:
    total = sum(int(other.size) for other in others) + int(row.size)
    if len(others) >= MOST or total > TOTAL:
        found = f"{len(others):,} pictures are stored"
        raise FullError(f"{found}, no more are taken; move the folder away to begin anew")


def read(folder: Path) -> list[Correction]:
    """All rows, in the order of their labels' times; none where nothing is stored yet.

    Raises DamagedError when the table is not what `store` writes.
    """
    table = folder / TABLE
    if not table.exists():
        return []
    try:
        found = [Correction(**row) for _, row in labelled.rows(table)]
        for row in found:
            int(row.size)
        return found
    except (UserError, ValueError, TypeError) as error:
        found_at = f"{table} is not what was stored there ({error})"
        raise DamagedError(f"{found_at}; mend it, its columns are {','.join(COLUMNS)}") from error


def content(folder: Path, row: Correction) -> bytes:
    """The bytes of a row's picture. Raises UserError when they are gone or others."""
    path = folder / row.file
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; remove its line from {TABLE}") from error
    if hashlib.sha256(picture).hexdigest() != row.sha256:
        raise UserError(f"{path} is not what was stored there; remove it and its line in {TABLE}")
    return picture
