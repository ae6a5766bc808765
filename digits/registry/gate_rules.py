"""The rules by which a candidate takes the champion's place: numbers in, verdicts out.

What follows from the verdicts is in `promotion_decision`.
"""

from dataclasses import dataclass, field
from typing import Any

from digits.evaluation.paired_comparison import PairedComparison
from digits.project.params_schema import RegisterParams


@dataclass(frozen=True)
class RuleVerdict:
    """The result of one rule: the values of both models as text, and `why`.

    `numbers` has the values as figures, without measured times.
    """

    rule: str
    passed: bool
    candidate: str
    champion: str
    why: str
    numbers: dict[str, Any] = field(default_factory=dict)


def apply_rules(pair: PairedComparison, bounds: RegisterParams) -> list[RuleVerdict]:
    """Return the verdict of each rule on the candidate."""
    better = balanced_rule if bounds.measure == "balanced_accuracy" else accuracy_rule
    rules = (better, recall_rule, calibration_rule, latency_rule)
    return [rule(pair, bounds) for rule in rules]


def accuracy_rule(pair: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """Pass with more images gained than lost, by McNemar's exact test at `bounds.level`."""
    level, (low, high), better = bounds.level, pair.interval, pair.gained > pair.lost
    passed = better and pair.p_value < level
    # of a worse model p is small, too, and would look as if it spoke for it
    chance = f": p = {pair.p_value:.2g}, to be below {level:g}" if better else ""
    shares = f"{pair.candidate.correct / pair.n:.2%}", f"{pair.champion.correct / pair.n:.2%}"
    gain = f"{pair.gained} images gained, {pair.lost} lost{chance}"
    difference = f"difference {pair.difference:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}"
    counts = {"gained": pair.gained, "lost": pair.lost, "p": round(pair.p_value, 6)}
    interval = [round(bound, 6) for bound in pair.interval]
    numbers = {"difference": round(pair.difference, 6), "interval": interval, "level": level}
    return RuleVerdict("better", passed, *shares, f"{gain}; {difference}", {**counts, **numbers})


def balanced_rule(pair: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """Pass with more balanced accuracy, by a permutation test at `bounds.level`.

    McNemar's test is about accuracy; here an image counts the more, the fewer its class has.
    """
    difference, p, level = pair.balanced_difference, pair.balanced_p_value, bounds.level
    better, (low, high) = difference > 0, pair.balanced_interval
    chance = f": p = {p:.2g}, to be below {level:g}" if better else ""
    shares = f"{pair.candidate.balanced:.2%}", f"{pair.champion.balanced:.2%}"
    gain = f"{pair.gained} images gained, {pair.lost} lost, classes weighted alike{chance}"
    change = f"difference {difference:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}"
    counts = {"gained": pair.gained, "lost": pair.lost, "p": round(p, 6)}
    interval = [round(bound, 6) for bound in pair.balanced_interval]
    numbers = {"difference": round(difference, 6), "interval": interval, "level": level}
    numbers |= {"measure": bounds.measure}
    passed = better and p < level
    return RuleVerdict("better", passed, *shares, f"{gain}; {change}", {**counts, **numbers})


def recall_rule(pair: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """Pass when no class loses more than `bounds.class_drop` of its recall; name the worst."""
    recalls = list(zip(pair.candidate.recall, pair.champion.recall, strict=True))
    losses = [old - new for new, old in recalls]
    worst, drop = max(range(len(losses)), key=losses.__getitem__), bounds.class_drop
    name, (candidate, champion) = pair.classes[worst], recalls[worst]
    shares = f"{candidate:.2%}", f"{champion:.2%}"
    change = f"recall of {name} changes by {0 - losses[worst]:+.2%}, the worst of all classes"
    numbers = {"worst": name, "loss": round(losses[worst], 6), "most": drop}
    # one image is at least 1e-9 of a class: rounding is not to decide
    passed = losses[worst] <= drop + 1e-9
    return RuleVerdict("classes", passed, *shares, f"{change}; {drop:.2%} may be lost", numbers)


def calibration_rule(pair: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """Pass with an expected calibration error of at most `bounds.ece`, whatever the champion's."""
    ece, most = pair.candidate.ece, bounds.ece
    shares = f"{ece:.2%}", f"{pair.champion.ece:.2%}"
    why = f"expected calibration error {ece:.2%}, at most {most:.2%}"
    numbers = {"ece": round(ece, 6), "most": most}
    return RuleVerdict("calibration", ece <= most, *shares, why, numbers)


def latency_rule(pair: PairedComparison, bounds: RegisterParams) -> RuleVerdict:
    """Pass when one image takes at most `bounds.latency` times as long as with the champion."""
    candidate, champion, most = pair.candidate.seconds, pair.champion.seconds, bounds.latency
    times = f"{candidate * 1e6:.0f} us", f"{champion * 1e6:.0f} us"
    why = f"one image on one thread, at most {most:g} times the champion's"
    return RuleVerdict("latency", candidate <= most * champion, *times, why, {"most": most})
