"""Move aliases: by a decision of the gate, by hand, or back to the previous champion.

How a decision comes about is in `promotion_decision`; how aliases move is in `alias_moves`.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from digits.project import text_table
from digits.project.errors import UserError
from digits.registry import (
    alias_moves,
    model_reference,
    registration,
    version_download,
    version_lookup,
)
from digits.registry.alias_log import CHAMPION, clean_reason
from digits.registry.alias_moves import AliasState, ConcurrentUpdateError
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_decision import PromotionDecision, recorded_decision
from digits.tracking.tracking_store import translate_errors

MAX_ATTEMPTS = 5  # at deciding, while somebody else changes the champion

Decide = Callable[[RegisteredVersion, RegisteredVersion | None, AliasState], PromotionDecision]


def apply_decision(version: RegisteredVersion, decide: Decide) -> PromotionDecision:
    """Give `version` the alias that `decide` says against the champion of its own store.

    `decide` gets the version, the champion and the state of the aliases; its decision is kept
    as tags of the version. Raises UserError when the store fails.
    """
    for _ in range(MAX_ATTEMPTS):
        with translate_errors(version.store):
            state = alias_moves.alias_state(version.store, version.name)
            champion = registration.find_champion(version.store, version.name)
        decision = decide(version, champion, state)
        moves, why = state.moves_to(decision.alias, version.number), decision.why
        try:
            with translate_errors(version.store):
                registration.tag_version(version, decision.tags)
                # before the aliases: what is cut off here is decided again, on the same champion
                registration.describe_gate(version, decision.verdict, decision.text)
                gate = decision.summary
                alias_moves.change_aliases(state, moves, action="register", why=why, gate=gate)
            model_reference.expire_answers()
            return decision
        except ConcurrentUpdateError as error:
            last = error
    raise last


def alias_of(version: RegisteredVersion) -> str:
    """Return the alias that `version` has now: champion before challenger, or "none"."""
    with translate_errors(version.store):
        aliases = alias_moves.alias_state(version.store, version.name).aliases
    return next((a for a in alias_moves.LOGGED_ALIASES if aliases.get(a) == version.number), "none")


def promote_manually(reference: str, why: str) -> str:
    """Make the version that `reference` names champion; say how good it is and what was done.

    Raises UserError, and changes nothing, when there is no such version, when it is champion
    already or was changed, when the alias log has problems or the registry does not answer.
    """
    why, state = clean_reason(why), _load_state()
    return _make_champion(state, reference, "promote", why)


def rollback(why: str) -> str:
    """Make the champion before the present one champion again; say what was done.

    Each rollback goes one champion further back and never to a version that was rolled back
    from: that one is known to be bad, and `promote` is the way to return to it. Raises
    UserError as `promote_manually` does, and when there was no champion before.
    """
    why, state = clean_reason(why), _load_state()
    # a champion that was deleted in the registry is still that of the record
    champion = state.aliases.get(CHAMPION) or state.log.version_of(CHAMPION)
    if champion is None:
        found = f"the registered model {state.name!r} has no champion to go back from"
        raise UserError(f"{found}; nothing was changed")
    is_moved = state.interrupted_change({CHAMPION: champion}, "rollback") is not None
    number = champion if is_moved else state.log.previous_champion(champion)
    if number is None:
        raise UserError(f"no version was champion before version {champion}; nothing was changed")
    return _make_champion(state, str(number), "rollback", why)


def _load_state() -> AliasState:
    return alias_moves.require_intact_log(alias_moves.current_alias_state())


def _make_champion(state: AliasState, reference: str, action: str, why: str) -> str:
    """Make a version champion after its files were downloaded from the registry and checked."""
    version = version_lookup.find_version(reference, state.store)
    with translate_errors(state.store):
        champion = registration.find_champion(state.store, state.name)
    with tempfile.TemporaryDirectory() as scratch, translate_errors(state.store):
        version_download.check_is_first_version(version)
        version_download.download_to_folder(version, Path(scratch))
        moves = state.moves_to(CHAMPION, version.number)
        entry = alias_moves.change_aliases(state, moves, action=action, why=why)
    model_reference.expire_answers()
    name = f"{state.name} version {version.number} is champion"
    if entry is None:
        raise UserError(f"{name} already; nothing was changed")
    before = entry.moves.get(CHAMPION, (version.number, None))[0]
    left = "there was none" if before is None else f"version {before} was"
    ending = ", which had been cut off, is complete now" if entry in state.log.entries else ""
    done = f"{name}, {left}; entry {entry.number}{ending}"
    return "\n".join([_compare_scores(version, champion), *_warnings(version), done])


def _compare_scores(version: RegisteredVersion, champion: RegisteredVersion | None) -> str:
    """Return a table with the scores of a version and of the champion before it."""
    versions = {v.number: v for v in (version, champion) if v}
    scores = "validation_accuracy", "test_accuracy"
    rows = [[f"version {n}", *map(v.percentage, scores)] for n, v in versions.items()]
    return text_table.format_table(["", "validation", "test"], rows)


def _warnings(version: RegisteredVersion) -> list[str]:
    """Return a line if the promotion rules had decided against a version."""
    decision = recorded_decision(version.tags)
    if decision is None or decision.verdict in {"passed", "first", "off"}:
        return []
    why = text_table.printable(decision.why)
    return [
        f"warning: the promotion rules say of version {version.number}: {decision.verdict}, {why}"
    ]
