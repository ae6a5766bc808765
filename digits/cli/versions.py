"""`digits versions`: list the registered versions, with what the gate said of each."""

from typing import TYPE_CHECKING

from digits.project import text_table
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.registry.alias_moves import AliasState
    from digits.registry.model_version import RegisteredVersion


HEAD = ["version", "alias", "gate", "validation", "test", "registered (UTC)", "commit", "run"]


def versions() -> None:
    """List the registered versions, with what the gate said of each."""
    from digits.registry import alias_moves, registration
    from digits.tracking import tracking_store  # 2 s: MLflow

    now = alias_moves.current_alias_state()
    with tracking_store.translate_errors(now.store):
        found = registration.list_versions(now.store, now.name)
    if not found:
        raise UserError(f"{now.name} has no version yet; `dvc repro` registers one")
    rows = [_row(version, now) for version in found]
    print(text_table.format_table(HEAD, rows, left=(0, 1, 2)))
    for text in [*now.disagreements, *now.log.problems]:
        print(f"note: {text_table.printable(text)}; `digits history` tells more")


def _row(version: "RegisteredVersion", now: "AliasState") -> list[str]:
    scores = [version.metric("validation_accuracy"), version.metric("test_accuracy")]
    return [
        str(version.number),
        _aliases(version, now),
        _gate(version),
        *("" if score is None else f"{score:.2%}" for score in scores),
        f"{version.created:%Y-%m-%d %H:%M}",
        version.commit[:10],
        version.run_id[:8],
    ]


def _aliases(version: "RegisteredVersion", now: "AliasState") -> str:
    """The aliases; "former champion" for one that was; "no files" after `digits prune`."""
    from digits.registry.artifact_removal import REMOVED_TAG

    past = version.number in now.log.champions and "champion" not in version.aliases
    marks = {"former champion": past, "no files": REMOVED_TAG in version.tags}
    return ", ".join([*version.aliases, *(mark for mark, holds in marks.items() if holds)])


def _gate(version: "RegisteredVersion") -> str:
    """What the gate said, and in which mode unless that is the usual one."""
    verdict, mode = version.tags.get("gate", ""), version.tags.get("gate.mode", "enforce")
    return verdict if mode in {"enforce", verdict} else f"{verdict} ({mode})"
