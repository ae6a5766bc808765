"""A zip archive that every reader reads alike, as `torch.save` writes it.

Readers of zip files disagree on archives with gaps, doubles and contradictions: one sees
harmless members where another sees a pickle that runs code. Here such archives are refused.
"""

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

ROOT = "archive"
# Parts of a zip archive, as PKWARE's APPNOTE.TXT has them.
MEMBER = struct.Struct("<4s5H3I2H")  # a header, up to the lengths of name and extra field
LISTED = 46  # bytes of an entry of the directory, without its texts
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR = struct.Struct("<4sIQI")
DESCRIPTOR = 16  # bytes after a member whose header leaves its sizes open
OPEN_SIZES, UTF8 = 8, 2048  # flags that torch sets; others encrypt or patch


def member(path: Path, name: str, longest: int) -> bytes:
    """The bytes of one member of the archive `path`, at most `longest`.

    Raises ValueError when it is no archive, or one that readers may disagree on.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive)
            if archive.getinfo(name).file_size > longest:
                raise ValueError(f"{name} is larger than {longest:,} bytes")
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, RuntimeError, EOFError, struct.error) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise ValueError where another reader of zip files might see other members than this.

    Members follow each other from the first byte to the directory, are neither compressed
    nor encrypted, and each is named once, by a plain path below archive/.
    """
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    names = [member.filename for member in members]
    if len(set(names)) < len(names) or not all(map(_below, names)):
        raise ValueError("its members are named twice or outside of archive/")
    end = 0
    with path.open("rb") as file:
        for member in members:
            end = _follows(file, member, end)
        if end != archive.start_dir:
            raise ValueError("something lies between its members")
        file.seek(
            end + sum(LISTED + len(m.filename.encode() + m.extra + m.comment) for m in members)
        )
        _closes(file.read(), len(members), end, file.tell())


def _follows(file: BinaryIO, member: zipfile.ZipInfo, start: int) -> int:
    """Where a member ends, which must start at `start`."""
    file.seek(start)
    signature, *_, length, extra = MEMBER.unpack(file.read(MEMBER.size))
    stored = member.compress_type == zipfile.ZIP_STORED
    plain = not member.flag_bits & ~(OPEN_SIZES | UTF8)
    if signature != b"PK\3\4" or member.header_offset != start or not stored or not plain:
        raise ValueError("its members are compressed, encrypted or not one after the other")
    if file.read(length) != member.filename.encode():
        raise ValueError("its members have other names than its directory says")
    tail = DESCRIPTOR if member.flag_bits & OPEN_SIZES else 0
    return start + int(MEMBER.size + length + extra + member.file_size + tail)


def _closes(rest: bytes, count: int, start: int, end: int) -> None:
    """Raise ValueError unless what comes after the directory tells what was read.

    `rest` is that, up to the file's `end`; `start` is where the directory starts.
    """
    size = end - len(rest) - start
    facts = (count, count, size, start)
    closing = END.pack(b"PK\5\6", 0, 0, *facts, 0)
    if len(rest) > END.size:
        told = END64.unpack(rest[: END64.size])
        locator = LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
        closing = rest[: END64.size] + locator + closing
        if told[0] != b"PK\6\6" or told[-4:] != facts:
            raise ValueError("its directory contradicts itself")
    if rest != closing:
        raise ValueError("its directory does not end the file")


def _below(name: str) -> bool:
    """Whether a member's name is a plain path below the root."""
    parts = name.split("/")
    return parts[0] == ROOT and not {"", ".", ".."} & set(parts) and "\\" not in name
