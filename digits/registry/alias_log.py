"""The log of alias changes: one entry per change, and what all entries together say.

Each entry is a tag of the registered model and a line of metrics/aliases.jsonl, which is
committed. So a change in the registry shows as a difference from the file, and a change in the
file shows in git. Nothing here talks to a registry.

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
ENTRY_TAG_PREFIX = "mlflow.digits.alias."  # of the tags that hold entries; pages hide them
OLD_TAG_PREFIXES = ("alias.", "ledger.")  # the same in older stores
IDENTITY_TAG = "mlflow.digits.registry"  # the tag that tells one registered model from all others
OLD_IDENTITY_TAG = "aliases.registry"
LOG_FILE = "metrics/aliases.jsonl"
AliasMove = tuple[int | None, int | None]


class AliasLogEntry(BaseModel):
    """One change: `moves` holds for each alias the version it left and the one it went to.

    `action` is "register", "promote", "rollback", "prune" (files of `removes`), "accept"
    (problems of `accepts`), or "found" (an alias was moved without an entry). `gate` is what
    the gate's rules measured.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    registry: str = Field(default="", exclude=True)  # in lines of the file: the IDENTITY_TAG
    id: str = Field(default="", exclude=True)  # the key of its tag
    previous: tuple[str, ...] = Field(default=(), exclude=True)  # hashes, in release 0.1.0
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
        """Return its line of the file."""
        return json.dumps({"registry": registry, "id": self.id, **json.loads(self.text)})


def parse_entry(text: str, **known: str) -> AliasLogEntry | None:
    """Parse an entry and set the fields `known` from elsewhere; None when it is invalid."""
    try:
        entry = AliasLogEntry.model_validate_json(text)
        when = entry.when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return entry.model_copy(update={"when": when, "previous": (), **known})


@dataclass(frozen=True)
class AliasLog:
    """All entries in order, those of the registry and those of the file.

    `unwritten` are those that the file lacks. `problems` are other differences between the
    two; those that somebody accepted are in `accepted`.
    """

    entries: tuple[AliasLogEntry, ...] = ()
    unwritten: tuple[AliasLogEntry, ...] = ()
    problems: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    identity: str = ""

    def version_of(self, alias: str) -> int | None:
        """Return the version that has `alias` by this log; None when none has it."""
        changes = self.changes(alias)
        return changes[-1].moves[alias][1] if changes else None

    def changes(self, alias: str) -> list[AliasLogEntry]:
        """Return the entries that moved `alias`, in order."""
        return [e for e in self.entries if alias in e.moves]

    @property
    def champions(self) -> set[int]:
        """Every version that ever was champion."""
        return {n for e in self.changes(CHAMPION) for n in e.moves[CHAMPION] if n is not None}

    @property
    def numbers(self) -> set[int]:
        """Every version that ever had an alias."""
        return {n for e in self.entries for move in e.moves.values() for n in move if n}

    @property
    def removed(self) -> set[int]:
        """Every version whose files were removed at some time."""
        return {number for e in self.entries for number in e.removes}

    def previous_champion(self, champion: int) -> int | None:
        """Return the champion before `champion`, where a rollback leads; None for nowhere.

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
        withdrawn: dict[int, AliasLogEntry] = {}
        for entry in self.changes(CHAMPION):
            left, to = entry.moves[CHAMPION]
            if entry.action == "rollback" and left is not None:
                withdrawn[left] = entry
            if to is not None:
                withdrawn.pop(to, None)
        return withdrawn


def read_log(tags: Mapping[str, str], lines: Iterable[str] = ()) -> AliasLog:
    """Merge the entries in the `tags` of a registered model and in the `lines` of the file.

    A line belongs to this registered model by its IDENTITY_TAG, or because an entry here has
    that registry, too. Where the two copies of an entry differ, the file's counts.
    """
    prefixes, identity = (ENTRY_TAG_PREFIX, *OLD_TAG_PREFIXES), registry_identity(tags)
    in_tags = {k: parse_entry(v, id=k) for k, v in tags.items() if k.startswith(prefixes)}
    parsed = {line: parse_entry(line) for line in lines if line.strip()}
    valid = [e for e in parsed.values() if e]
    names = {identity or None, *(e.registry for e in valid if e.id in in_tags)}
    in_file = [e.model_copy(update={"registry": ""}) for e in valid if e.registry in names]
    by_id = {e.id: e for e in (*in_tags.values(), *in_file) if e}
    entries = sorted(by_id.values(), key=lambda e: (e.number, e.when, e.id))
    problems = [
        *(f"{LOG_FILE} has a line that is no entry: {line}" for line in parsed if not parsed[line]),
        *(f"{k} in the registry is no entry: {tags[k]}" for k in sorted(in_tags) if not in_tags[k]),
        *_differences(in_tags, in_file),
    ]
    written, accepted = {e.id for e in in_file}, {i for e in entries for i in e.accepts}
    return AliasLog(
        entries=tuple(entries),
        unwritten=tuple(e for e in entries if e.id not in written),
        problems=tuple(p for p in problems if problem_id(p) not in accepted),
        accepted=tuple(p for p in problems if problem_id(p) in accepted),
        identity=identity,
    )


def registry_identity(tags: Mapping[str, str]) -> str:
    """Return what tells a registered model from all others; empty before its first entry."""
    return tags.get(IDENTITY_TAG, tags.get(OLD_IDENTITY_TAG, ""))


def _differences(
    in_tags: Mapping[str, AliasLogEntry | None], in_file: Iterable[AliasLogEntry]
) -> Iterator[str]:
    """Describe entries of the file that the registry lacks, or has with other contents."""
    for entry in in_file:
        tagged, name = in_tags.get(entry.id), f"entry {entry.number} ({entry.id})"
        if entry.id not in in_tags:
            yield f"{name} of {entry.who} is in {LOG_FILE} and not in the registry"
        for key, value in entry if tagged is not None else ():
            if (other := getattr(tagged, key)) != value:
                yield f"{name} has the {key} {other} in the registry and {value} in {LOG_FILE}"


def problem_id(problem: str) -> str:
    """Return what an entry that accepts a problem calls it."""
    return hashlib.sha256(problem.encode()).hexdigest()[:16]


def clean_reason(text: str) -> str:
    """Return a person's reason as one line. UserError when it says nothing."""
    words = " ".join(text.encode(errors="replace").decode().split())
    if not words:
        raise UserError("the reason is empty; say why with --reason, it is kept for good")
    return words


def utc_now() -> datetime:
    """Return the time in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def format_time(when: datetime) -> str:
    """Format a time as people read it, in UTC."""
    return f"{when:%Y-%m-%d %H:%M:%S}"
