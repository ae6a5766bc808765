"""One entry of the record of aliases: a tag whose key holds the SHA-256 of its text."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

CHAMPION, CHALLENGER = "champion", "challenger"
PREFIX = "ledger."  # of the tags that hold entries, and of the marks on versions
Move = tuple[int | None, int | None]


class Entry(BaseModel):
    """One change: `moves` holds for each alias the version it left and the one it went to.

    `action`: register, promote, rollback; found, an alias had been moved by other means;
    prune, the files of `removes` were removed; accept, the damage in `accepts` was looked
    at. `gate` is what the gate said. `edited`: the stored text is not what was written.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    number: int = Field(ge=1, lt=10**6)
    previous: tuple[str, ...]
    when: AwareDatetime
    who: str
    action: str
    why: str
    moves: dict[str, Move]
    gate: dict[str, Any] = {}
    removes: tuple[int, ...] = ()
    accepts: tuple[str, ...] = ()
    edited: bool = Field(default=False, exclude=True)

    @property
    def text(self) -> str:
        """The entry as it is stored."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        """What later entries call it by."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def key(self) -> str:
        """The tag that holds it."""
        return f"{PREFIX}{self.number:06d}.{self.sha256[:16]}"

    @property
    def subject(self) -> int | None:
        """The version that gets a mark: the one that most of this is about."""
        moved = [self.moves[a] for a in sorted(self.moves)]  # champion comes after challenger
        ends = [to for _, to in reversed(moved)] + [left for left, _ in reversed(moved)]
        return next((number for number in ends if number is not None), None)


def decoded(key: str, text: str) -> Entry | None:
    """The entry that a tag holds; None when it is none."""
    try:
        entry = Entry.model_validate_json(text)
        # in UTC, which its own text is in, too, unless somebody changed it
        entry = entry.model_copy(update={"when": entry.when.astimezone(UTC)})
        return entry.model_copy(update={"edited": (entry.text, entry.key) != (text, key)})
    except (ValidationError, ValueError, OverflowError):
        return None


def written(when: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{when:%Y-%m-%d %H:%M:%S}"
