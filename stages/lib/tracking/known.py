"""What names of versions meant last, for when the configured registry does not answer."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, resolve, store
from stages.lib.tracking.version import Version


@dataclass(frozen=True)
class Meaning:
    """The version that a name meant, and when that was."""

    content: str
    number: int
    seen: str


def remember(reference: str, version: Version) -> None:
    """Keep what `reference` means. The embedded registry is never away."""
    if version.store.embedded:
        return
    meaning = Meaning(version.content_sha256, version.number, time.strftime("%Y-%m-%d %H:%M"))
    with store.lock("models"):
        files.write_json(_file(), {**_all(), _key(reference): asdict(meaning)})


def recall(reference: str) -> Meaning | None:
    """What `reference` meant last in the configured registry."""
    found = _all().get(_key(reference))
    return Meaning(**found) if found else None


def _file() -> Path:
    return files.home() / ".state" / "models" / "known.json"


def _all() -> dict[str, Any]:
    try:
        return files.read_json(_file())
    except UserError:
        return {}  # nothing is known yet, or not any more


def _key(reference: str) -> str:
    return f"{address.bare(address.configured() or '')} {resolve.model_name()} {reference}"
