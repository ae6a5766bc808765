"""Publish the model as a new version; the gate decides whether it becomes champion.

python -m stages.register
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stages.lib import comparison, dataset, files, gate, schema, stage, table
from stages.lib.errors import UserError
from stages.lib.gate import Decision
from stages.lib.tracking import address, fetch, journal, promotion, registry, store
from stages.lib.tracking.aliases import Standing
from stages.lib.tracking.entry import CHALLENGER, CHAMPION
from stages.lib.tracking.store import OutageError
from stages.lib.tracking.version import Version

FIRST = "the first version, there is none to beat"
WAITING = "waiting"
POSTPONED = "the registry did not answer; `digits send` registers the model and decides on it"
WAY_OUT = "`digits rollback` or `digits promote` makes another version champion"


def register(
    register: schema.Register,
    trained: Path = Path("models/digits"),
    training: Path = Path("metrics/train.json"),
    evaluation: Path = Path("metrics/evaluate.json"),
    validation: Path = Path("data/splits/validation.npz"),
    *,
    registration: Path = Path("metrics/register.json"),
) -> None:
    """Make `trained` a version of `register.name`; the same bytes make no second version.

    When the registry does not answer, that waits for `digits send`, and `registration` says
    so. Raises UserError when the model, the pictures or the champion is missing or damaged.
    """
    manifest = files.read_manifest(trained)
    run_id, content = str(manifest["run_id"]), str(manifest["content_sha256"])
    metrics = {  # what a version carries of the numbers, to be compared by
        "validation_accuracy": files.read_json(training)["validation_accuracy"],
        "test_accuracy": files.read_json(evaluation)["accuracy"],
    }
    wish: dict[str, Any] = {"name": register.name, "content_hash": content, "metrics": metrics}
    judged = partial(decide, rules=register, validation=validation, trained=trained)
    try:
        version = registry.register(folder=trained, run_id=run_id, **wish)
        write(version, promotion.promote(version, judged), registration)
    except OutageError as error:
        address.warn(str(error), topic=store.connect().uri)
        journal.postpone(run_id, trained, **wish)
        waiting = Decision(None, register.gate, WAITING, POSTPONED)
        entry = {"name": register.name, "version": None, "alias": WAITING}
        _write(entry, content, waiting, registration)
        print(f"{register.name}: {waiting.why}")


def write(version: Version, decision: Decision, registration: Path) -> None:
    """Keep in `registration` what became of a version, and print it."""
    alias = promotion.alias(version)
    entry = {"name": version.name, "version": version.number, "alias": alias}
    _write(entry, version.content_sha256, decision, registration)
    tell(version, alias, decision)


def _write(entry: dict[str, Any], content: str, decision: Decision, registration: Path) -> None:
    facts = {"content_sha256": content, "gate": decision.record}
    files.write_json(registration, {**entry, **facts})


def decide(
    candidate: Version,
    champion: Version | None,
    now: Standing,
    *,
    rules: schema.Register,
    validation: Path,
    trained: Path | None = None,
) -> Decision:
    """The alias of `candidate`, and what speaks for it.

    Both models are scored here on the pictures of `validation`; the test pictures are no
    reason. `trained` is the candidate's folder where it is at hand. Raises UserError when
    the pictures or a model cannot be had.
    """
    made = partial(Decision, mode=rules.gate, champion=champion.number if champion else None)
    decision = _settled(candidate, champion, now, made)
    if decision is None and champion is not None:
        folder = trained or fetch.fetched(candidate)
        decision = _contested(
            candidate, champion, folder, made=made, rules=rules, validation=validation
        )
    decision = decision or made(CHAMPION, verdict="first", why=FIRST)
    return replace(decision, alias=None) if rules.gate == "dry-run" else decision


def _settled(
    candidate: Version, champion: Version | None, now: Standing, made: "partial[Decision]"
) -> Decision | None:
    """What is clear without the champion's numbers; None when it is to be beaten, or is none."""
    if champion is not None and champion.number == candidate.number:
        why = "it was champion before there was a gate"
        before = gate.recalled(candidate.tags) or made(None, verdict="not judged", why=why)
        return replace(before, alias=CHAMPION)
    withdrawn = now.record.withdrawn.get(candidate.number)
    if withdrawn is not None:
        why = f"{withdrawn.who} rolled back from it: {withdrawn.why}"
        why = f"{why}; `digits promote` brings it back"
        return made(CHALLENGER, verdict="withdrawn", why=why)
    if champion is None and now.record.champions and not now.cut_off({CHAMPION: candidate.number}):
        why = "the alias champion was removed by other means; `digits promote` sets it again"
        return made(CHALLENGER, verdict="no champion", why=why)
    if made.keywords["mode"] == "off":
        return made(CHAMPION, verdict="off", why="the gate is off, the newest version is champion")
    return None


def _contested(
    candidate: Version,
    champion: Version,
    folder: Path,
    *,
    made: "partial[Decision]",
    rules: schema.Register,
    validation: Path,
) -> Decision:
    """What the comparison with the champion says."""
    pictures = dataset.load(validation)
    if _pictures(candidate, validation.name) not in {None, files.sha256(validation)}:
        why = f"it was validated on other pictures than those in {validation}"
        return made(CHALLENGER, verdict="incomparable", why=why)
    try:
        found, _ = comparison.measured(folder, _folder(champion), pictures)
    except comparison.IncomparableError as error:
        return made(CHALLENGER, verdict="incomparable", why=str(error))
    verdicts = gate.judge(found, rules)
    failed = [f"{v.rule}: {v.why}" for v in verdicts if not v.passed]
    notes = _notes(candidate, champion)
    facts = {"n": found.n, "rules": verdicts, "notes": notes}
    if failed:
        return made(CHALLENGER, verdict="failed", why="; ".join(failed), **facts)
    return made(CHAMPION, verdict="passed", why=f"better: {verdicts[0].why}", **facts)


def _folder(champion: Version) -> Path:
    try:
        return fetch.fetched(champion)
    except UserError as error:
        message = f"nothing can be compared with the champion ({error})"
        raise UserError(f"{message}; {WAY_OUT}") from error


def _pictures(version: Version, name: str) -> str | None:
    """The SHA-256 of the split `name` that a version was trained with; None when unknown."""
    tags = version.tags.items()
    return next((v for k, v in tags if k.startswith("input.") and k.endswith(f"/{name}")), None)


def _notes(candidate: Version, champion: Version) -> list[str]:
    """What a reader of the comparison has to know."""
    ours, theirs = (_pictures(version, "train.npz") for version in (candidate, champion))
    if ours is not None and ours == theirs:
        return []
    return [f"version {champion.number} may have been trained on some of these pictures"]


def tell(version: Version, alias: str, decision: Decision) -> None:
    """What a person wants to know: what was measured, what became of it, and why."""
    if decision.rules:
        print(table.aligned(*decision.table, left=(0, 3, 4)))
    for note in decision.notes:
        print(f"note: {note}")
    mode = "" if decision.mode == "enforce" else f" (gate: {decision.mode})"
    place = "has no alias" if alias == "none" else f"is {alias}"
    failed = ", ".join(v.rule for v in decision.rules if not v.passed)
    why = failed if decision.verdict == "failed" else decision.why
    print(f"{version.name} version {version.number} {place}{mode}; {decision.verdict}: {why}")


if __name__ == "__main__":
    stage.main(register)
