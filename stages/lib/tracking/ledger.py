"""The record of every change of an alias, kept in the registry itself.

Each change is one tag of the registered model, so the record travels with the store. An
entry names the SHA-256 of the entries before it and its key holds its own, so that an entry
which was edited or removed is noticed; a mark on the version that it concerns guards the
last one. Nothing here is secret: who rewrites all of it leaves no trace, unless the last
hash, which `digits history` prints, was noted elsewhere.

Two machines that write in the same moment leave two entries after the same one, as two
commits in git do; the next entry names both. The order is by number, time and hash.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stages.lib.errors import UserError
from stages.lib.tracking.entry import CHAMPION, PREFIX, Entry, decoded

LIMIT = 5000  # characters of a registered model's tag in MLflow's database
SKEW = timedelta(minutes=5)  # of clocks, evened out without a word


@dataclass(frozen=True)
class Ledger:
    """All entries in order; `problems` are signs of tampering that nobody has accepted."""

    entries: tuple[Entry, ...]
    heads: tuple[str, ...]
    problems: tuple[str, ...]
    accepted: tuple[str, ...]

    def state(self, alias: str, moment: datetime | None = None) -> int | None:
        """The version that had `alias` at `moment`, by default now; None when none had it."""
        changes = [e for e in self.changes(alias) if moment is None or e.when <= moment]
        return changes[-1].moves[alias][1] if changes else None

    def changes(self, alias: str) -> list[Entry]:
        """The intact entries that moved `alias`, in order."""
        return [e for e in self.entries if alias in e.moves and not e.edited]

    @property
    def champions(self) -> set[int]:
        """Every version that ever was champion, edited entries included."""
        ends = [n for e in self.entries for n in e.moves.get(CHAMPION, ())]
        return {number for number in ends if number is not None}

    @property
    def removed(self) -> set[int]:
        """Every version whose files were removed at some time, by intact entries."""
        return {number for e in self.entries if not e.edited for number in e.removes}

    def before(self, champion: int) -> int | None:
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
    def withdrawn(self) -> dict[int, Entry]:
        """Versions that were rolled back from and not made champion since, and by which entry."""
        found: dict[int, Entry] = {}
        for entry in self.changes(CHAMPION):
            left, to = entry.moves[CHAMPION]
            if entry.action == "rollback" and left is not None:
                found[left] = entry
            if to is not None:
                found.pop(to, None)
        return found

    @property
    def doubts(self) -> list[str]:
        """Entries that are dated before earlier ones: somebody's clock was wrong then."""
        pairs = itertools.pairwise(e for e in self.entries if not e.edited)
        return [
            f"entry {later.number} of {later.who} is dated {before.when - later.when} before "
            f"entry {before.number} of {before.who}: a clock was wrong"
            for before, later in pairs
            if later.when < before.when
        ]

    def next(self, moment: datetime, **facts: Any) -> Entry:
        """The entry that follows now; UserError when it is too long to be stored.

        Where the clock of this machine is a little behind that of the last writer, the time
        of the last entry is taken. Where it is far behind, nobody knows which is wrong: the
        order of the entries holds, and `doubts` tells of it.
        """
        latest = max((e.when for e in self.entries if not e.edited), default=moment)
        when = latest if moment < latest <= moment + SKEW else moment
        number = 1 + max((e.number for e in self.entries), default=0)
        made = Entry(number=number, previous=self.heads, when=when, **facts)
        if len(made.text) > LIMIT:
            over = len(made.text) - LIMIT
            raise UserError(f"the reason is {over} characters too long; give a shorter one")
        return made


def reason(text: str) -> str:
    """A person's reason as one line. UserError when it says nothing."""
    words = " ".join(text.split())
    if not words:
        raise UserError("the reason is empty; say why with --reason, it is kept for good")
    return words


def now() -> datetime:
    """The time in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def read(tags: Mapping[str, str], marks: Iterable[str] = ()) -> Ledger:
    """The record in the `tags` of a registered model, checked.

    `marks` are the keys of entries that versions bear.
    """
    stored = {key: text for key, text in tags.items() if key.startswith(PREFIX)}
    found = {key: decoded(key, text) for key, text in stored.items()}
    entries = sorted((e for e in found.values() if e is not None), key=_order)
    named = {digest for e in entries for digest in e.previous if not e.edited}
    heads = tuple(sorted(e.sha256 for e in entries if not e.edited and e.sha256 not in named))
    signs = [*_damage(stored, found), *_gaps(entries, stored, marks)]
    looked_at = {digest for e in entries if not e.edited for digest in e.accepts}
    return Ledger(
        entries=tuple(entries),
        heads=heads,
        problems=tuple(s for s in signs if sign(s) not in looked_at),
        accepted=tuple(s for s in signs if sign(s) in looked_at),
    )


def _order(entry: Entry) -> tuple[int, datetime, str]:
    """What entries are sorted by."""
    return entry.number, entry.when, entry.key


def sign(problem: str) -> str:
    """What an entry that accepts a problem calls it."""
    return hashlib.sha256(problem.encode()).hexdigest()[:16]


def _damage(stored: Mapping[str, str], found: Mapping[str, Entry | None]) -> list[str]:
    """Entries that are not what was written; each with its present hash."""
    bad = [key for key, entry in found.items() if entry is None or entry.edited]
    return [
        f"{key} was edited (it now has SHA-256 "
        f"{hashlib.sha256(stored[key].encode()).hexdigest()[:16]})"
        for key in sorted(bad)
    ]


def _gaps(entries: Sequence[Entry], stored: Mapping[str, str], marks: Iterable[str]) -> list[str]:
    """Entries that others, or versions, tell of and that are not there."""
    keys = {key.rpartition(".")[2]: key for key in stored}
    lost = {
        digest[:16]: f"the entry {digest[:16]} before {e.key} was removed"
        for e in entries
        if not e.edited
        for digest in e.previous
        if digest[:16] not in keys
    }
    for key in marks:
        short = key.rpartition(".")[2]
        if short not in keys:
            lost.setdefault(short, f"{key} was removed, a version still bears its mark")
    return [lost[short] for short in sorted(lost)]
