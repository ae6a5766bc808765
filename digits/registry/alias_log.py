"""The record of alias moves: one entry per change, and what all entries together say.

An entry is kept twice: as a tag of the registered model, and as a line of
metrics/aliases.jsonl, which is committed. Whoever rewrites the registry's copy differs from
the file; who rewrites the file shows in git. Nothing here talks to a registry.

The order is by number, time and key. Two machines that write in the same moment give their
entries the same number; both are kept.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from digits.project.errors import UserError

CHAMPION, CHALLENGER = "champion", "challenger"
ENTRY_TAG_PREFIX = "alias."  # of the tags that hold entries
OLD_TAG_PREFIX = "ledger."  # the same in version 1, which put such tags on versions, too
IDENTITY_TAG = "aliases.registry"  # the tag that tells one registered model from all others
LOG_FILE = "metrics/aliases.jsonl"
AliasMove = tuple[int | None, int | None]


class AliasLogEntry(BaseModel):
    """One change: `moves` holds for each alias the version it left and the one it went to.

    `action`: register, promote, rollback; found, an alias had been moved by other means;
    prune, the files of `removes` were removed; accept, the problems in `accepts` were looked
    at. `gate` is what the gate measured.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    registry: str = Field(default="", exclude=True)  # in lines of the file: the IDENTITY
    id: str = Field(default="", exclude=True)  # the key of its tag
    previous: tuple[str, ...] = Field(default=(), exclude=True)  # hashes, in version 1
    number: int = Field(ge=1, lt=10**6)
    when: AwareDatetime
    who: str
    action: str
    why: str
    moves: dict[str, AliasMove]
    gate: dict[str, Any] = {}
    removes: tuple[int, ...] = ()
    accepts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What its tag holds."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True))

    def line(self, registry: str) -> str:
        """What the file holds of it."""
        return json.dumps({"registry": registry, "id": self.id, **json.loads(self.text)})


def parse_entry(text: str, **known: str) -> AliasLogEntry | None:
    """The entry in a text, with the fields `known` from elsewhere; None when it is none."""
    try:
        entry = AliasLogEntry.model_validate_json(text)
        when = entry.when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return entry.model_copy(update={"when": when, "previous": (), **known})


@dataclass(frozen=True)
class AliasLog:
    """All entries in order, those of the registry and those of the file.

    `unwritten` are those that the file lacks, `problems` what else differs and nobody has
    accepted.
    """

    entries: tuple[AliasLogEntry, ...] = ()
    unwritten: tuple[AliasLogEntry, ...] = ()
    problems: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    identity: str = ""

    def version_of(self, alias: str) -> int | None:
        """The version that has `alias` by this record; None when none has it."""
        changes = self.changes(alias)
        return changes[-1].moves[alias][1] if changes else None

    def changes(self, alias: str) -> list[AliasLogEntry]:
        """The entries that moved `alias`, in order."""
        return [e for e in self.entries if alias in e.moves]

    @property
    def champions(self) -> set[int]:
        """Every version that ever was champion."""
        return {n for e in self.changes(CHAMPION) for n in e.moves[CHAMPION] if n is not None}

    @property
    def removed(self) -> set[int]:
        """Every version whose files were removed at some time."""
        return {number for e in self.entries for number in e.removes}

    def previous_champion(self, champion: int) -> int | None:
        """Where a rollback from `champion` leads: to the champion before it; None for nowhere.

        Rollbacks go further back each time and never to a version that was rolled back
        from: that one is known to be bad.
        """
        past: list[int] = []
        for entry in self.changes(CHAMPION):
            to = entry.moves[CHAMPION][1]
            if entry.action == "rollback" and to in past:
                del past[len(past) - past[::-1].index(to) :]
            elif to is not None and past[-1:] != [to]:
                past.append(to)
        if past[-1:] == [champion]:
            past.pop()
        return past[-1] if past else None

    @property
    def withdrawn(self) -> dict[int, AliasLogEntry]:
        """Versions that were rolled back from and not made champion since, and by which entry."""
        found: dict[int, AliasLogEntry] = {}
        for entry in self.changes(CHAMPION):
            left, to = entry.moves[CHAMPION]
            if entry.action == "rollback" and left is not None:
                found[left] = entry
            if to is not None:
                found.pop(to, None)
        return found


def read_log(tags: Mapping[str, str], lines: Iterable[str] = ()) -> AliasLog:
    """The record in the `tags` of a registered model and the `lines` of the file, compared.

    Lines with entries of this registered model are its own, whatever its IDENTITY says by
    now. Where the two copies of an entry differ, the file's counts.
    """
    here = {
        k: parse_entry(text, id=k)
        for k, text in tags.items()
        if k.startswith((ENTRY_TAG_PREFIX, OLD_TAG_PREFIX))
    }
    found = {line: parse_entry(line) for line in lines if line.strip()}
    told = [entry for entry in found.values() if entry is not None]
    names = {tags.get(IDENTITY_TAG)} | {e.registry for e in told if e.id in here}
    there = [e.model_copy(update={"registry": ""}) for e in told if e.registry in names]
    known = {entry.id: entry for entry in (*here.values(), *there) if entry is not None}
    entries = sorted(known.values(), key=lambda e: (e.number, e.when, e.id))
    problems = [
        *(f"{LOG_FILE} has a line that is no entry: {line}" for line in found if not found[line]),
        *(f"{k} in the registry is no entry: {tags[k]}" for k in sorted(here) if not here[k]),
        *_differences(here, there),
    ]
    looked_at = {mark for entry in entries for mark in entry.accepts}
    return AliasLog(
        entries=tuple(entries),
        unwritten=tuple(e for e in entries if e.id not in {other.id for other in there}),
        problems=tuple(p for p in problems if problem_id(p) not in looked_at),
        accepted=tuple(p for p in problems if problem_id(p) in looked_at),
        identity=tags.get(IDENTITY_TAG, ""),
    )


def _differences(
    here: Mapping[str, AliasLogEntry | None], there: Iterable[AliasLogEntry]
) -> Iterator[str]:
    """Entries of the file that the registry lacks, or has with other contents."""
    for entry in there:
        ours, name = here.get(entry.id), f"entry {entry.number} ({entry.id})"
        if entry.id not in here:
            yield f"{name} of {entry.who} is in {LOG_FILE} and not in the registry"
        for key, value in entry if ours is not None else ():
            if (other := getattr(ours, key)) != value:
                yield f"{name} has the {key} {other} in the registry and {value} in {LOG_FILE}"


def problem_id(problem: str) -> str:
    """What an entry that accepts a problem calls it."""
    return hashlib.sha256(problem.encode()).hexdigest()[:16]


def clean_reason(text: str) -> str:
    """A person's reason as one line. UserError when it says nothing."""
    words = " ".join(text.encode(errors="replace").decode().split())
    if not words:
        raise UserError("the reason is empty; say why with --reason, it is kept for good")
    return words


def utc_now() -> datetime:
    """The time in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def format_time(when: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{when:%Y-%m-%d %H:%M:%S}"
