"""The rules by which a candidate takes the champion's place: numbers in, verdicts out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stages.lib.schema import Register

RECORD = "gate.record"  # the tag that holds all of a decision
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of two models on the same pictures: `recall` per class, `seconds` per picture."""

    right: int
    recall: Sequence[float]
    ece: float
    seconds: float


@dataclass(frozen=True)
class Contest:
    """Two models on the same `n` pictures of `classes`.

    `gained` pictures only the candidate labels rightly, `lost` only the champion; `p` and
    `interval` are of the difference of their accuracies, as in `paired`.
    """

    n: int
    classes: Sequence[str]
    candidate: Side
    champion: Side
    gained: int
    lost: int
    p: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """The accuracy of the candidate minus that of the champion."""
        return (self.gained - self.lost) / self.n


@dataclass(frozen=True)
class Verdict:
    """What one rule says: two measured values as text, and `why`.

    `numbers` are the same in figures, without those that differ with each measurement.
    """

    rule: str
    passed: bool
    candidate: str
    champion: str
    why: str
    numbers: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The alias a candidate gets, None for no change, and all that speaks for it.

    `verdict` is a word or two, `champion` the version it was held against.
    """

    alias: str | None
    mode: str
    verdict: str
    why: str
    champion: int | None = None
    n: int = 0
    rules: Sequence[Verdict] = ()
    notes: Sequence[str] = ()

    @property
    def record(self) -> Row:
        """As JSON holds it: what the same models and pictures give again."""
        rules = {v.rule: {"passed": v.passed, **v.numbers} for v in self.rules}
        facts = {"mode": self.mode, "verdict": self.verdict, "why": self.why}
        return {**facts, "champion": self.champion, "n": self.n, "rules": rules}

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a version: verdict, mode, and all of it, measured times included."""
        record = json.dumps(asdict(self))
        return {"gate": self.verdict, "gate.mode": self.mode, RECORD: record}

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """What a person wants to see: a head and one row per rule."""
        head = ["gate", "candidate", f"champion {self.champion}", "", "why"]
        words = {True: "passed", False: "failed"}
        rows = [[v.rule, v.candidate, v.champion, words[v.passed], v.why] for v in self.rules]
        return head, rows


def recalled(tags: Mapping[str, str]) -> Decision | None:
    """The decision that a version's tags hold, moving no alias; None when they hold none."""
    try:
        found = TypeAdapter(Decision).validate_json(tags.get(RECORD, ""))
    except ValidationError:
        return None
    return replace(found, alias=None)


def judge(found: Contest, bounds: Register) -> list[Verdict]:
    """What each rule says of the candidate."""
    return [rule(found, bounds) for rule in (better, classes, calibration, latency)]


def better(found: Contest, bounds: Register) -> Verdict:
    """More pictures gained than lost, beyond chance: McNemar's exact test at `bounds.level`."""
    level, (low, high) = bounds.level, found.interval
    # of a worse model p is small, too, and would look as if it spoke for it
    chance = f": p = {found.p:.2g}, to be below {level:g}" if found.gained > found.lost else ""
    return Verdict(
        rule="better",
        passed=found.gained > found.lost and found.p < level,
        candidate=f"{found.candidate.right / found.n:.2%}",
        champion=f"{found.champion.right / found.n:.2%}",
        why=f"{found.gained} pictures gained, {found.lost} lost{chance}; "
        f"difference {found.difference:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}",
        numbers={
            "gained": found.gained,
            "lost": found.lost,
            "p": round(found.p, 6),
            "difference": round(found.difference, 6),
            "interval": [round(bound, 6) for bound in found.interval],
            "level": level,
        },
    )


def classes(found: Contest, bounds: Register) -> Verdict:
    """No class loses more than `bounds.class_drop` of its recall; told is the worst."""
    drop = bounds.class_drop
    pairs = list(zip(found.candidate.recall, found.champion.recall, strict=True))
    losses = [theirs - ours for ours, theirs in pairs]
    worst = max(range(len(losses)), key=losses.__getitem__)
    name = found.classes[worst]
    return Verdict(
        rule="classes",
        # a whole picture is at least 1e-9 of a class: rounding is not to decide
        passed=losses[worst] <= drop + 1e-9,
        candidate=f"{pairs[worst][0]:.2%}",
        champion=f"{pairs[worst][1]:.2%}",
        why=f"recall of {name} changes by {0 - losses[worst]:+.2%}, the worst of all classes; "
        f"{drop:.2%} may be lost",
        numbers={"worst": name, "loss": round(losses[worst], 6), "most": drop},
    )


def calibration(found: Contest, bounds: Register) -> Verdict:
    """The expected calibration error is at most `bounds.ece`, whatever the champion's is."""
    most = bounds.ece
    return Verdict(
        rule="calibration",
        passed=found.candidate.ece <= most,
        candidate=f"{found.candidate.ece:.2%}",
        champion=f"{found.champion.ece:.2%}",
        why=f"expected calibration error {found.candidate.ece:.2%}, at most {most:.2%}",
        numbers={"ece": round(found.candidate.ece, 6), "most": most},
    )


def latency(found: Contest, bounds: Register) -> Verdict:
    """One picture takes at most `bounds.latency` times as long as with the champion."""
    ours, theirs, most = found.candidate.seconds, found.champion.seconds, bounds.latency
    return Verdict(
        rule="latency",
        passed=ours <= most * theirs,
        candidate=f"{ours * 1e6:.0f} us",
        champion=f"{theirs * 1e6:.0f} us",
        why=f"one picture on one thread, at most {most:g} times the champion's",
        numbers={"most": most},
    )
