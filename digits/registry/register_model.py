"""Publish the model as a new version; the gate decides whether it becomes champion.

python -m stages.register
"""

from functools import partial
from pathlib import Path
from typing import Any

from digits.inference import model_manifest
from digits.project import atomic_files, text_table
from digits.project.params_schema import RegisterParams
from digits.registry import promotion
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_decision import PromotionDecision, decide_alias
from digits.registry.registration import register_version
from digits.tracking import journal_folders, store_uri, tracking_store
from digits.tracking.tracking_store import StoreUnavailableError

WAITING = "waiting"
POSTPONED = "the registry did not answer; `digits send` registers the model and decides on it"


def register(
    register: RegisterParams,
    trained: Path,
    training: Path,
    evaluation: Path,
    validation: Path,
    *,
    registration: Path,
) -> None:
    """Make `trained` a version of `register.name`; the same bytes make no second version.

    When the registry does not answer, that waits for `digits send`, and `registration` says
    so. Raises UserError when the model, the pictures or the champion is missing or damaged.
    """
    manifest = model_manifest.check_files(trained)
    run_id, content = str(manifest["run_id"]), str(manifest["content_sha256"])
    metrics = {  # what a version carries of the numbers, to be compared by
        "validation_accuracy": atomic_files.read_json(training)["validation_accuracy"],
        "test_accuracy": atomic_files.read_json(evaluation)["accuracy"],
    }
    wish: dict[str, Any] = {"name": register.name, "content_hash": content, "metrics": metrics}
    judged = partial(decide_alias, rules=register, validation=validation, trained=trained)
    try:
        version = register_version(folder=trained, run_id=run_id, **wish)
        write_registration(version, promotion.apply_decision(version, judged), registration)
    except StoreUnavailableError as error:
        store_uri.warn_once(str(error), topic=tracking_store.current_store().uri)
        journal_folders.postpone_registration(run_id, trained, **wish)
        waiting = PromotionDecision(None, register.gate, WAITING, POSTPONED)
        entry = {"name": register.name, "version": None, "alias": WAITING}
        _write_file(entry, content, waiting, registration)
        print(f"{register.name}: {waiting.why}")


def write_registration(
    version: RegisteredVersion, decision: PromotionDecision, registration: Path
) -> None:
    """Keep in `registration` what became of a version, and print it."""
    alias = promotion.alias_of(version)
    entry = {"name": version.name, "version": version.number, "alias": alias}
    _write_file(entry, version.content_sha256, decision, registration)
    print_decision(version, alias, decision)


def _write_file(
    entry: dict[str, Any], content: str, decision: PromotionDecision, registration: Path
) -> None:
    facts = {"content_sha256": content, "gate": decision.record}
    atomic_files.write_json(registration, {**entry, **facts})


def print_decision(version: RegisteredVersion, alias: str, decision: PromotionDecision) -> None:
    """What a person wants to know: what was measured, what became of it, and why."""
    if decision.rules:
        print(text_table.format_table(*decision.table, left=(0, 3, 4)))
    for note in decision.notes:
        print(f"note: {note}")
    mode = "" if decision.mode == "enforce" else f" (gate: {decision.mode})"
    place = "has no alias" if alias == "none" else f"is {alias}"
    failed = ", ".join(v.rule for v in decision.rules if not v.passed)
    why = failed if decision.verdict == "failed" else decision.why
    print(f"{version.name} version {version.number} {place}{mode}; {decision.verdict}: {why}")
