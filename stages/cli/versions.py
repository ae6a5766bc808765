"""`digits versions`: list the registered versions, with what the gate said of each."""

from typing import TYPE_CHECKING

from stages.lib import table
from stages.lib.errors import UserError

if TYPE_CHECKING:
    from stages.lib.tracking.aliases import Standing
    from stages.lib.tracking.version import Version

HEAD = ["version", "alias", "gate", "validation", "test", "registered (UTC)", "commit", "run"]


def versions() -> None:
    """List the registered versions, with what the gate said of each."""
    from stages.lib.tracking import aliases, registry, store  # 2 s: MLflow

    now = aliases.current()
    with store.asking(now.store):
        found = registry.all_in(now.store, now.name)
    if not found:
        raise UserError(f"{now.name} has no version yet; `dvc repro` registers one")
    rows = [_row(version, now) for version in found]
    print(table.aligned(HEAD, rows, left=(0, 1, 2)))
    for text in [*now.disagreements, *now.record.problems]:
        print(f"note: {table.plain(text)}; `digits history` tells more")


def _row(version: "Version", now: "Standing") -> list[str]:
    scores = [version.share("validation_accuracy"), version.share("test_accuracy")]
    return [
        str(version.number),
        _aliases(version, now),
        _gate(version),
        *("" if score is None else f"{score:.2%}" for score in scores),
        f"{version.created:%Y-%m-%d %H:%M}",
        version.commit[:10],
        version.run_id[:8],
    ]


def _aliases(version: "Version", now: "Standing") -> str:
    """The aliases; "former champion" for one that was; "no files" after `digits prune`."""
    from stages.lib.tracking.removal import REMOVED

    past = version.number in now.record.champions and "champion" not in version.aliases
    marks = {"former champion": past, "no files": REMOVED in version.tags}
    return ", ".join([*version.aliases, *(mark for mark, holds in marks.items() if holds)])


def _gate(version: "Version") -> str:
    """What the gate said, and in which mode unless that is the usual one."""
    verdict, mode = version.tags.get("gate", ""), version.tags.get("gate.mode", "enforce")
    return verdict if mode in {"enforce", verdict} else f"{verdict} ({mode})"
