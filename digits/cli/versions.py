"""`digits versions`: list the registered versions."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from digits.cli.options import json_option
from digits.project import text_table
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.registry.alias_moves import AliasState
    from digits.registry.model_version import RegisteredVersion

SCORES = {"validation_accuracy": "validation", "test_accuracy": "test"}  # with their titles
BALANCED = {  # shown where `register.measure` is balanced_accuracy
    "validation_balanced_accuracy": "balanced validation",
    "test_balanced_accuracy": "balanced test",
}


@json_option
def versions(as_json: bool = False) -> None:
    """List the registered versions, their aliases and accuracies.

    Newest first. The column "gate" shows what the promotion rules decided. "former champion"
    marks a version that was champion, "no files" one whose files `digits prune` removed.

    Example: digits versions --json
    """
    from digits.registry import alias_moves, registration, version_lookup
    from digits.tracking import tracking_store  # 2 s: MLflow

    state = alias_moves.current_alias_state()
    with tracking_store.translate_errors(state.store):
        registered = registration.list_versions(state.store, state.name)
        if not registered:
            raise UserError(version_lookup.explain_no_versions(state.store, state.name))
    if as_json:
        print(json.dumps([_record(version, state) for version in registered], indent=2))
        return
    is_balanced = any(key in version.tags for key in BALANCED for version in registered)
    scores = SCORES | BALANCED if is_balanced else SCORES
    head = ["version", "alias", "gate", *scores.values(), "registered (UTC)", "commit", "run"]
    rows = [_row(version, state, scores) for version in registered]
    print(text_table.format_table(head, rows, left=(0, 1, 2)))
    for text in [*state.disagreements, *state.log.problems]:
        print(f"note: {text_table.printable(text)}; see `digits history`")


def _record(version: "RegisteredVersion", state: "AliasState") -> dict[str, Any]:
    """Return what the table shows, and what it shortens."""
    from digits.registry.model_version import REMOVED_TAG

    return {
        "name": version.name,
        "version": version.number,
        "aliases": list(version.aliases),
        "was_champion": version.number in state.log.champions,
        "files_removed": version.tags.get(REMOVED_TAG),
        "gate": version.tags.get("gate"),
        "gate_mode": version.tags.get("gate.mode"),
        **{name: version.metric(name) for name in SCORES | BALANCED},
        "registered": version.created.isoformat(timespec="seconds"),
        "commit": version.commit,
        "run_id": version.run_id,
        "content_sha256": version.content_sha256,
    }


def _row(version: "RegisteredVersion", state: "AliasState", scores: Iterable[str]) -> list[str]:
    return [
        str(version.number),
        _aliases(version, state),
        _verdict(version.tags.get("gate", ""), version.tags.get("gate.mode", "enforce")),
        *map(version.percentage, scores),
        f"{version.created:%Y-%m-%d %H:%M}",
        version.commit[:10],
        version.run_id[:8],
    ]


def _aliases(version: "RegisteredVersion", state: "AliasState") -> str:
    """Return the aliases, and the marks "former champion" and "no files"."""
    from digits.registry.model_version import REMOVED_TAG

    former = version.number in state.log.champions and "champion" not in version.aliases
    marks = {"former champion": former, "no files": REMOVED_TAG in version.tags}
    return ", ".join([*version.aliases, *(mark for mark, holds in marks.items() if holds)])


def _verdict(verdict: str, mode: str) -> str:
    """Return the verdict of the promotion rules, with their mode unless they are enforced."""
    return verdict if mode in {"enforce", verdict} else f"{verdict} ({mode})"
