"""Give a version the alias that the gate's decision, or a person, gives it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from digits.project.errors import UserError
from digits.registry import alias_moves, registration, version_download, version_lookup
from digits.registry.alias_log import CHAMPION, clean_reason
from digits.registry.alias_moves import AliasState, ConcurrentUpdateError
from digits.registry.model_version import RegisteredVersion
from digits.registry.promotion_decision import PromotionDecision
from digits.tracking.tracking_store import translate_errors

MAX_ROUNDS = 5  # of deciding anew because somebody else changed the champion meanwhile

Decide = Callable[[RegisteredVersion, RegisteredVersion | None, AliasState], PromotionDecision]


def apply_decision(version: RegisteredVersion, decide: Decide) -> PromotionDecision:
    """Give `version` the alias that `decide` says against the champion of its own store.

    `decide` gets the version, the champion and how the model stands; what it says is kept
    as tags of the version. Raises UserError when the store fails.
    """
    for _ in range(MAX_ROUNDS):
        with translate_errors(version.store):
            now = alias_moves.alias_state(version.store, version.name)
            best = registration.find_champion(version.store, version.name)
        decision = decide(version, best, now)
        try:
            with translate_errors(version.store):
                _record_and_move(version, decision, now)
            return decision
        except ConcurrentUpdateError as error:
            last = error
    raise last


def _record_and_move(
    version: RegisteredVersion, decision: PromotionDecision, seen: AliasState
) -> None:
    """Keep the decision with the version, then move aliases."""
    registration.tag_version(version, decision.tags)
    moves: dict[str, int | None] = {decision.alias: version.number} if decision.alias else {}
    if decision.alias == CHAMPION:
        moves = seen.champion_moves(version.number)
    alias_moves.change_aliases(
        seen, moves, action="register", why=decision.why, gate=decision.record
    )


def alias_of(version: RegisteredVersion) -> str:
    """The alias that `version` has now: champion before challenger, or "none"."""
    with translate_errors(version.store):
        held = alias_moves.alias_state(version.store, version.name).aliases
    return next((name for name in alias_moves.RECORDED if held.get(name) == version.number), "none")


def promote_manually(reference: str, why: str) -> str:
    """Make the version that `reference` names champion; what was done, as a sentence.

    Raises UserError, and changes nothing, when there is no such version, when it is champion
    already or does not verify, when the record is not whole or the registry is away.
    """
    why, now = clean_reason(why), _intact_alias_state()
    return _make_champion(now, version_lookup.find_version(reference, now.store), "promote", why)


def rollback(why: str) -> str:
    """Make the champion before the present one champion again; what was done, as a sentence.

    Each rollback goes one champion further back and never to a version that was rolled back
    from: that one is known to be bad, and `promote` is the way to return to it. Raises
    UserError as `by_hand` does, and when there was no champion before.
    """
    why, now = clean_reason(why), _intact_alias_state()
    champion = now.aliases.get(CHAMPION)
    if champion is None:
        raise UserError(f"{now.name} has no champion to go back from; nothing was changed")
    last = now.interrupted_change({CHAMPION: champion})
    finished = last is not None and last.action == "rollback"
    number = champion if finished else now.log.previous_champion(champion)
    if number is None:
        raise UserError(f"no version was champion before version {champion}; nothing was changed")
    return _make_champion(now, version_lookup.find_version(str(number), now.store), "rollback", why)


def _intact_alias_state() -> AliasState:
    """How the model stands. UserError when its record is not whole."""
    now = alias_moves.current_alias_state()
    alias_moves.require_intact_log(now)
    return now


def _make_champion(now: AliasState, version: RegisteredVersion, action: str, why: str) -> str:
    """Make `version` champion after its files were fetched from the registry and checked."""
    with tempfile.TemporaryDirectory() as scratch, translate_errors(now.store):
        version_download.download_version(version, Path(scratch))
        entry = alias_moves.change_aliases(
            now, now.champion_moves(version.number), action=action, why=why
        )
    name = f"{now.name} version {version.number} is champion"
    if entry is None:
        raise UserError(f"{name} already; nothing was changed")
    before = entry.moves.get(CHAMPION, (version.number, None))[0]
    left = "there was none" if before is None else f"version {before} was"
    ending = ", which had been cut off, is complete now" if entry in now.log.entries else ""
    return f"{name}, {left}; entry {entry.number}{ending}"
