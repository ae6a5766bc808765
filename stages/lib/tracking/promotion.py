"""Give a version the alias that somebody's decision gives it, and keep the decision."""

from collections.abc import Callable

from stages.lib.gate import AGAINST, Decision
from stages.lib.tracking import aliases, registry
from stages.lib.tracking.aliases import OvertakenError, Standing
from stages.lib.tracking.entry import CHALLENGER, CHAMPION
from stages.lib.tracking.registry import explained
from stages.lib.tracking.version import Version

ROUNDS = 5  # of deciding anew because somebody else changed the champion meanwhile

Decide = Callable[[Version, Version | None, Standing], Decision]


def promote(version: Version, decide: Decide) -> Decision:
    """Give `version` the alias that `decide` says against the champion of its own store.

    `decide` gets the version, the champion and how the model stands; what it says is kept
    as tags of the version. Raises UserError when the store fails.
    """
    for _ in range(ROUNDS):
        with explained("promoting"):
            now = aliases.standing(version.store, version.name)
            best = registry.champion(version.name, version.store)
        decision = decide(version, best, now)
        try:
            with explained("promoting"):
                _carry_out(version, decision, now)
            return decision
        except OvertakenError as error:
            last = error
    raise last


def _carry_out(version: Version, decision: Decision, seen: Standing) -> None:
    """Keep the decision with the version, then move aliases."""
    client, number = version.store.client, str(version.number)
    for key, value in decision.tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, number, key, value)
    for key in version.tags.keys() - decision.tags.keys():
        if key.startswith("gate."):
            client.delete_model_version_tag(version.name, number, key)
    moves: dict[str, int | None] = {}
    if decision.alias is not None:
        moves[decision.alias] = version.number
    if decision.alias == CHAMPION and seen.aliases.get(CHALLENGER) == version.number:
        moves[CHALLENGER] = None
    aliases.change(seen, moves, action="register", why=decision.why, gate=decision.summary)


def rivals(champion: Version) -> set[int]:
    """The versions that were held against `champion` so far."""
    with explained("looking up versions"):
        condition = f"name = '{champion.name}' and tags.`{AGAINST}` = '{champion.number}'"
        found = champion.store.client.search_model_versions(condition, max_results=1000)
    return {int(version.version) for version in found}


def alias(version: Version) -> str:
    """The alias that `version` has now: champion before challenger, or "none"."""
    with explained("looking up aliases"):
        found = version.store.client.get_model_version(version.name, str(version.number))
    return next((name for name in (CHAMPION, CHALLENGER) if name in found.aliases), "none")
