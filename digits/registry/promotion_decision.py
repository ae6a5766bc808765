"""TODO"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from digits.datasets import split_files
from digits.evaluation import paired_comparison
from digits.evaluation.paired_comparison import IncomparableError
from digits.project import hashing
from digits.project.errors import UserError
from digits.project.params_schema import RegisterParams
from digits.registry import promotion_rules, version_download
from digits.registry.alias_log import CHALLENGER, CHAMPION
from digits.registry.alias_moves import AliasState
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_rules import Row, RuleVerdict

DECISION_TAG = "gate.record"  # the tag that holds all of a decision


@dataclass(frozen=True)
class PromotionDecision:
    """The alias a candidate gets, None for no change, and all that speaks for it.

    `verdict` is a word or two, `champion` the version it was held against.
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
    def record(self) -> Row:
        """As JSON holds it: what the same models and pictures give again."""
        rules = {v.rule: {"passed": v.passed, **v.numbers} for v in self.rules}
        facts = {"mode": self.mode, "verdict": self.verdict, "why": self.why}
        return {**facts, "champion": self.champion, "n": self.n, "rules": rules}

    @property
    def tags(self) -> dict[str, str]:
        """As tags of a version: verdict, mode, and all of it, measured times included."""
        record = json.dumps(asdict(self))
        return {"gate": self.verdict, "gate.mode": self.mode, DECISION_TAG: record}

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """What a person wants to see: a head and one row per rule."""
        head = ["gate", "candidate", f"champion {self.champion}", "", "why"]
        words = {True: "passed", False: "failed"}
        rows = [[v.rule, v.candidate, v.champion, words[v.passed], v.why] for v in self.rules]
        return head, rows


def recorded_decision(tags: Mapping[str, str]) -> PromotionDecision | None:
    """The decision that a version's tags hold, moving no alias; None when they hold none."""
    try:
        found = TypeAdapter(PromotionDecision).validate_json(tags.get(DECISION_TAG, ""))
    except ValidationError:
        return None
    return replace(found, alias=None)


FIRST = "the first version, there is none to beat"
NEXT_STEPS = "`digits rollback` or `digits promote` makes another version champion"


def decide_alias(
    candidate: RegisteredVersion,
    champion: RegisteredVersion | None,
    now: AliasState,
    *,
    rules: RegisterParams,
    validation: Path,
    trained: Path | None = None,
) -> PromotionDecision:
    """The alias of `candidate`, and what speaks for it.

    Both models are scored here on the pictures of `validation`; the test pictures are no
    reason. `trained` is the candidate's folder where it is at hand. Raises UserError when
    the pictures or a model cannot be had.
    """
    made = partial(
        PromotionDecision, mode=rules.gate, champion=champion.number if champion else None
    )
    decision = _decide_without_comparison(candidate, champion, now, made)
    if decision is None and champion is not None:
        folder = trained or version_download.download_to_cache(candidate)
        decision = _decide_by_comparison(
            candidate, champion, folder, made=made, rules=rules, validation=validation
        )
    decision = decision or made(CHAMPION, verdict="first", why=FIRST)
    return replace(decision, alias=None) if rules.gate == "dry-run" else decision


def _decide_without_comparison(
    candidate: RegisteredVersion,
    champion: RegisteredVersion | None,
    now: AliasState,
    made: "partial[PromotionDecision]",
) -> PromotionDecision | None:
    """What is clear without the champion's numbers; None when it is to be beaten, or is none."""
    if champion is not None and champion.number == candidate.number:
        why = "it was champion before there was a gate"
        before = recorded_decision(candidate.tags) or made(None, verdict="not judged", why=why)
        return replace(before, alias=CHAMPION)
    withdrawn = now.log.withdrawn.get(candidate.number)
    if withdrawn is not None:
        why = f"{withdrawn.who} rolled back from it: {withdrawn.why}"
        why = f"{why}; `digits promote` brings it back"
        return made(CHALLENGER, verdict="withdrawn", why=why)
    if (
        champion is None
        and now.log.champions
        and not now.interrupted_change({CHAMPION: candidate.number})
    ):
        why = "the alias champion was removed by other means; `digits promote` sets it again"
        return made(CHALLENGER, verdict="no champion", why=why)
    if made.keywords["mode"] == "off":
        return made(CHAMPION, verdict="off", why="the gate is off, the newest version is champion")
    return None


def _decide_by_comparison(
    candidate: RegisteredVersion,
    champion: RegisteredVersion,
    folder: Path,
    *,
    made: "partial[PromotionDecision]",
    rules: RegisterParams,
    validation: Path,
) -> PromotionDecision:
    """What the comparison with the champion says."""
    pictures = split_files.load(validation)
    if _split_hash(candidate, validation.name) not in {None, hashing.file_sha256(validation)}:
        why = f"it was validated on other pictures than those in {validation}"
        return made(CHALLENGER, verdict="incomparable", why=why)
    try:
        found, _ = paired_comparison.compare_models(folder, _champion_folder(champion), pictures)
    except IncomparableError as error:
        return made(CHALLENGER, verdict="incomparable", why=str(error))
    verdicts = promotion_rules.apply_rules(found, rules)
    failed = [f"{v.rule}: {v.why}" for v in verdicts if not v.passed]
    notes = _notes(candidate, champion)
    facts = {"n": found.n, "rules": verdicts, "notes": notes}
    if failed:
        return made(CHALLENGER, verdict="failed", why="; ".join(failed), **facts)
    return made(CHAMPION, verdict="passed", why=f"better: {verdicts[0].why}", **facts)


def _champion_folder(champion: RegisteredVersion) -> Path:
    try:
        return version_download.download_to_cache(champion)
    except UserError as error:
        message = f"nothing can be compared with the champion ({error})"
        raise UserError(f"{message}; {NEXT_STEPS}") from error


def _split_hash(version: RegisteredVersion, name: str) -> str | None:
    """The SHA-256 of the split `name` that a version was trained with; None when unknown."""
    tags = version.tags.items()
    return next((v for k, v in tags if k.startswith("input.") and k.endswith(f"/{name}")), None)


def _notes(candidate: RegisteredVersion, champion: RegisteredVersion) -> list[str]:
    """What a reader of the comparison has to know."""
    ours, theirs = (_split_hash(version, "train.npz") for version in (candidate, champion))
    if ours is not None and ours == theirs:
        return []
    return [f"version {champion.number} may have been trained on some of these pictures"]
