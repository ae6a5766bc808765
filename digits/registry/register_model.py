"""The stage `register`: publish the trained model as a version, and decide its alias.

How a version is made is in `registration`, and how it is decided on in `promotion_decision`.
"""

from functools import partial
from pathlib import Path
from typing import Any

from digits.inference import model_manifest
from digits.project import atomic_files, text_table
from digits.project.params_schema import RegisterParams
from digits.registry import lineage, promotion
from digits.registry.alias_log import CHAMPION
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_decision import PromotionDecision, decide_alias, recorded_decision
from digits.registry.registration import register_version
from digits.tracking import journal_folders, store_uri, tracking_store

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

    If the registry does not answer, the registration is stored for `digits send`, and the file
    `registration` says "waiting". Raises UserError when the model, the images or the champion
    are missing or damaged.
    """
    manifest = model_manifest.check_files(trained)
    run_id, content = str(manifest["run_id"]), str(manifest["content_sha256"])
    # the numbers of a version by which it is compared
    measures = dict.fromkeys(("accuracy", register.measure))
    test, fitted = atomic_files.read_json(evaluation), atomic_files.read_json(training)
    metrics = {f"test_{measure}": test[measure] for measure in measures}
    metrics |= {f"validation_{m}": fitted[f"validation_{m}"] for m in measures}
    request: dict[str, Any] = {"name": register.name, "content_hash": content, "metrics": metrics}
    decide = partial(decide_alias, rules=register, validation=validation, trained=trained)
    try:
        version = register_version(folder=trained, run_id=run_id, **request)
        write_registration(version, promotion.apply_decision(version, decide), registration)
        lineage.store_card(version, trained)
    except tracking_store.StoreUnavailableError as error:
        store_uri.warn_once(str(error), topic=tracking_store.current_store().uri)
        journal_folders.postpone_registration(run_id, trained, **request)
        waiting = PromotionDecision(None, register.gate, WAITING, POSTPONED)
        _write_file(registration, content, waiting, name=register.name, version=None, alias=WAITING)
        print(f"{register.name}: {waiting.why}")


def write_registration(
    version: RegisteredVersion, decision: PromotionDecision, registration: Path
) -> None:
    """Write a version, its alias and the decision to `registration`, and print them."""
    alias, content = promotion.alias_of(version), version.content_sha256
    names = {"name": version.name, "version": version.number, "alias": alias}
    _write_file(registration, content, decision, **names)
    print_decision(version, alias, decision)


def _write_file(path: Path, content: str, decision: PromotionDecision, **names: Any) -> None:
    value = {**names, "content_sha256": content, "gate": decision.summary}
    atomic_files.write_json(path, value)


def print_decision(version: RegisteredVersion, alias: str, decision: PromotionDecision) -> None:
    """Print what was measured, which alias the version has, and why."""
    state = "has no alias" if alias == "none" else f"is {alias}"
    if recorded_decision(version.tags):
        print(f"this model is registered already: {version.name} version {version.number} {state}")
        if alias == CHAMPION:  # it was decided on then
            return
    if decision.rules:
        print(text_table.format_table(*decision.table, left=(0, 3, 4)))
    for note in decision.notes:
        print(f"note: {note}")
    mode = "" if decision.mode == "enforce" else f" (gate: {decision.mode})"
    why = ", ".join(v.rule for v in decision.rules if not v.passed) or decision.why
    print(f"{version.name} version {version.number} {state}{mode}; {decision.verdict}: {why}")
