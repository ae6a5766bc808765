"""Decide which alias a new version gets: champion, challenger or none.

The rules themselves are in `gate_rules`; nothing here moves an alias, `promotion` does.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from digits.datasets import split_files
from digits.evaluation import paired_comparison
from digits.evaluation.paired_comparison import IncomparableError, PairedComparison
from digits.inference import model_manifest
from digits.project import hashing
from digits.project.errors import UserError
from digits.project.params_schema import RegisterParams
from digits.registry import gate_rules, version_download
from digits.registry.alias_log import CHALLENGER, CHAMPION
from digits.registry.alias_moves import AliasState
from digits.registry.gate_rules import RuleVerdict
from digits.registry.model_version import RegisteredVersion

LEAST_SKILL = 0.1  # share of the way from guessing to no mistakes
DECISION_TAG = "mlflow.digits.gate"  # holds all of a decision; MLflow's pages hide it
OLD_DECISION_TAG = "gate.record"
FIRST = "the first version, there is none to beat"
WAY_OUT = "`digits promote` makes it champion, register.name gives it a name of its own"
NEXT_STEPS = "`digits rollback` or `digits promote` makes another version champion"


@dataclass(frozen=True)
class PromotionDecision:
    """The alias a candidate gets, None for no change, and the reasons.

    `verdict` is a word or two, `champion` the version it was compared with.
    """

    alias: str | None
    mode: str
    verdict: str
    why: str
    champion: int | None = None
    n: int = 0
    rules: Sequence[RuleVerdict] = ()
    notes: Sequence[str] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """Return it as JSON without measured times: equal for equal models and images."""
        rules = {v.rule: {"passed": v.passed, **v.numbers} for v in self.rules}
        head = {"mode": self.mode, "verdict": self.verdict, "why": self.why}
        return {**head, "champion": self.champion, "n": self.n, "rules": rules}

    @property
    def text(self) -> str:
        """The decision in Markdown: the verdict, its consequence, against whom, and why."""
        alias = f"it became {self.alias}" if self.alias else "its alias did not change"
        mode = "" if self.mode == "enforce" else f" (gate: {self.mode})"
        head = f"{self.verdict.capitalize()}{mode}: {alias}."
        if not self.rules:
            return f"{head} Why: {self.why}."
        champion = f"the champion, version {self.champion}"
        rows = self.table[1]
        rules = [f"- {r}: {a}, champion {b}: {word}. {why}." for r, a, b, word, why in rows]
        head += f" Compared with {champion}, on {self.n:,} validation images:"
        return "\n".join([head, *rules])

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a version: verdict, mode, and all of it, measured times included."""
        text = json.dumps(asdict(self))
        return {"gate": self.verdict, "gate.mode": self.mode, DECISION_TAG: text}

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """As a table for a person: a head and one row per rule."""
        head = ["gate", "candidate", f"champion {self.champion}", "", "why"]
        words = {True: "passed", False: "failed"}
        rows = [[v.rule, v.candidate, v.champion, words[v.passed], v.why] for v in self.rules]
        return head, rows


def recorded_decision(tags: Mapping[str, str]) -> PromotionDecision | None:
    """Return the decision in a version's tags, moving no alias; None when there is none."""
    try:
        decision = TypeAdapter(PromotionDecision).validate_json(
            tags.get(DECISION_TAG, tags.get(OLD_DECISION_TAG, ""))
        )
    except ValidationError:
        return None
    return replace(decision, alias=None)


def decide_alias(
    candidate: RegisteredVersion,
    champion: RegisteredVersion | None,
    state: AliasState,
    *,
    rules: RegisterParams,
    validation: Path,
    trained: Path | None = None,
) -> PromotionDecision:
    """Decide which alias `candidate` gets.

    Both models are scored on the images of `validation`, never on the test images. `trained`
    is the candidate's folder where it is on this disk. Raises UserError when the images or a
    model are missing or damaged.
    """
    number = champion.number if champion else None
    new = partial(PromotionDecision, mode=rules.gate, champion=number)
    decision = _decide_without_comparison(candidate, state, new)
    if decision is None:
        folder = trained or version_download.download_to_cache(candidate)
        decision = _reject_guessing(candidate, folder, new)
    if decision is None and champion is not None:
        try:
            pair = _compare(candidate, champion, folder, validation)
            notes = _notes(candidate, champion)
            decision = _decide_by_rules(pair, rules, partial(new, notes=notes))
        except IncomparableError as error:
            why = f"{error}; {WAY_OUT}"
            decision = new(CHALLENGER, verdict="incomparable", why=why)
    decision = decision or new(CHAMPION, verdict="first", why=FIRST)
    return replace(decision, alias=None) if rules.gate == "dry-run" else decision


def _decide_without_comparison(
    candidate: RegisteredVersion, state: AliasState, new: "partial[PromotionDecision]"
) -> PromotionDecision | None:
    """Decide what needs no scores; None for the first version, and where scores decide."""
    champion = new.keywords["champion"]
    if champion == candidate.number:
        why = "it was champion before there was a gate"
        before = recorded_decision(candidate.tags) or new(None, verdict="not judged", why=why)
        return replace(before, alias=CHAMPION)
    if entry := state.log.withdrawn.get(candidate.number):
        why = f"{entry.who} rolled back from it: {entry.why}; `digits promote` brings it back"
        return new(CHALLENGER, verdict="withdrawn", why=why)
    is_alias_lost = champion is None and state.log.champions
    if is_alias_lost and not state.interrupted_change({CHAMPION: candidate.number}, "register"):
        why = "the alias champion was removed by other means; `digits promote` sets it again"
        return new(CHALLENGER, verdict="no champion", why=why)
    if new.keywords["mode"] == "off":
        return new(CHAMPION, verdict="off", why="the gate is off, the newest version is champion")
    return None


def _reject_guessing(
    candidate: RegisteredVersion, folder: Path, new: "partial[PromotionDecision]"
) -> PromotionDecision | None:
    """Decide against a candidate in `folder` that has learned next to nothing; else None."""
    accuracy = candidate.metric("validation_accuracy")
    chance = 1 / len(model_manifest.load_manifest(folder / model_manifest.MANIFEST)["classes"])
    if accuracy is None or accuracy - chance >= LEAST_SKILL * (1 - chance):
        return None
    found = f"its validation accuracy is {accuracy:.2%}, and guessing has {chance:.2%}"
    return new(None, verdict="failed", why=f"{found}; train again, with a lower learning rate")


def _compare(
    candidate: RegisteredVersion, champion: RegisteredVersion, folder: Path, validation: Path
) -> PairedComparison:
    """Score the candidate in `folder` and the champion on the images of `validation`.

    Raises IncomparableError, and UserError when the images or the champion are damaged.
    """
    images = split_files.load(validation)
    if _split_hash(candidate, validation.name) not in {None, hashing.file_sha256(validation)}:
        raise IncomparableError(f"it was validated on other images than those in {validation}")
    try:
        champion_folder = version_download.download_to_cache(champion)
    except UserError as error:
        message = f"nothing can be compared with the champion ({error})"
        raise UserError(f"{message}; {NEXT_STEPS}") from error
    return paired_comparison.compare_models(folder, champion_folder, images)[0]


def _decide_by_rules(
    pair: PairedComparison, bounds: RegisterParams, new: "partial[PromotionDecision]"
) -> PromotionDecision:
    verdicts = gate_rules.apply_rules(pair, bounds)
    new = partial(new, n=pair.n, rules=verdicts)
    if failed := [f"{v.rule}: {v.why}" for v in verdicts if not v.passed]:
        return new(CHALLENGER, verdict="failed", why="; ".join(failed))
    return new(CHAMPION, verdict="passed", why=f"better: {verdicts[0].why}")


def _split_hash(version: RegisteredVersion, name: str) -> str | None:
    """Return the SHA-256 of the split `name` that a version was trained with; None if unknown."""
    tags = version.tags.items()
    return next((v for k, v in tags if k.startswith("input.") and k.endswith(f"/{name}")), None)


def _notes(candidate: RegisteredVersion, champion: RegisteredVersion) -> list[str]:
    """Return what weakens the comparison."""
    split = _split_hash(candidate, "train.npz")
    if split is not None and split == _split_hash(champion, "train.npz"):
        return []
    return [f"version {champion.number} may have been trained on some of these images"]
