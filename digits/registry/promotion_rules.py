"""The rules by which a candidate takes the champion's place: numbers in, verdicts out."""

from dataclasses import dataclass, field
from typing import Any

from digits.evaluation.paired_comparison import PairedComparison
from digits.project.params_schema import RegisterParams

Row = dict[str, Any]


@dataclass(frozen=True)
class RuleVerdict:
    """What one rule says: two measured values as text, and `why`.

    `numbers` are the same in figures, without those that differ with each measurement.
    """

    rule: str
    passed: bool
    candidate: str
    champion: str
    why: str
    numbers: Row = field(default_factory=dict)


def apply_rules(found: PairedComparison, bounds: RegisterParams) -> list[RuleVerdict]:
    """What each rule says of the candidate."""
    return [
        rule(found, bounds) for rule in (accuracy_rule, recall_rule, calibration_rule, latency_rule)
    ]


def accuracy_rule(found: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """More pictures gained than lost, beyond chance: McNemar's exact test at `bounds.level`."""
    level, (low, high) = bounds.level, found.interval
    # of a worse model p is small, too, and would look as if it spoke for it
    chance = (
        f": p = {found.p_value:.2g}, to be below {level:g}" if found.gained > found.lost else ""
    )
    return RuleVerdict(
        rule="better",
        passed=found.gained > found.lost and found.p_value < level,
        candidate=f"{found.candidate.correct / found.n:.2%}",
        champion=f"{found.champion.correct / found.n:.2%}",
        why=f"{found.gained} pictures gained, {found.lost} lost{chance}; "
        f"difference {found.difference:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}",
        numbers={
            "gained": found.gained,
            "lost": found.lost,
            "p": round(found.p_value, 6),
            "difference": round(found.difference, 6),
            "interval": [round(bound, 6) for bound in found.interval],
            "level": level,
        },
    )


def recall_rule(found: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """No class loses more than `bounds.class_drop` of its recall; told is the worst."""
    drop = bounds.class_drop
    pairs = list(zip(found.candidate.recall, found.champion.recall, strict=True))
    losses = [theirs - ours for ours, theirs in pairs]
    worst = max(range(len(losses)), key=losses.__getitem__)
    name = found.classes[worst]
    return RuleVerdict(
        rule="classes",
        # a whole picture is at least 1e-9 of a class: rounding is not to decide
        passed=losses[worst] <= drop + 1e-9,
        candidate=f"{pairs[worst][0]:.2%}",
        champion=f"{pairs[worst][1]:.2%}",
        why=f"recall of {name} changes by {0 - losses[worst]:+.2%}, the worst of all classes; "
        f"{drop:.2%} may be lost",
        numbers={"worst": name, "loss": round(losses[worst], 6), "most": drop},
    )


def calibration_rule(found: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """The expected calibration error is at most `bounds.ece`, whatever the champion's is."""
    most = bounds.ece
    return RuleVerdict(
        rule="calibration",
        passed=found.candidate.ece <= most,
        candidate=f"{found.candidate.ece:.2%}",
        champion=f"{found.champion.ece:.2%}",
        why=f"expected calibration error {found.candidate.ece:.2%}, at most {most:.2%}",
        numbers={"ece": round(found.candidate.ece, 6), "most": most},
    )


def latency_rule(found: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """One picture takes at most `bounds.latency` times as long as with the champion."""
    ours, theirs, most = found.candidate.seconds, found.champion.seconds, bounds.latency
    return RuleVerdict(
        rule="latency",
        passed=ours <= most * theirs,
        candidate=f"{ours * 1e6:.0f} us",
        champion=f"{theirs * 1e6:.0f} us",
        why=f"one picture on one thread, at most {most:g} times the champion's",
        numbers={"most": most},
    )
