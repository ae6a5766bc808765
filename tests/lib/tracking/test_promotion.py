"""A decision moves the alias and stays with the version."""

from dataclasses import replace

import numpy as np
import pytest

from stages.lib.errors import UserError
from stages.lib.gate import Decision
from stages.lib.tracking import aliases, promotion, registry, store
from tests.lib.tracking.conftest import better


def test_the_better_one_is_champion_the_newest_challenger(project, trained):
    """A version says where it comes from; the better one is champion, the newest listed first."""
    found = [promotion.promote(trained(a), better).alias for a in (0.9, 0.95, 0.93)]
    assert found == ["champion", "champion", "challenger"]
    newest, best, oldest = registry.versions("m")
    assert [v.number for v in (newest, best, oldest)] == [3, 2, 1]
    assert (newest.aliases, best.aliases, oldest.aliases) == (("challenger",), ("champion",), ())
    assert registry.champion("m") == best
    assert best.tags["input.train.npz"] == "ab"
    assert (best.commit, best.share("test_accuracy")) == ("no commit", 0.94)
    assert best.tags["gate"] == "passed"
    assert store.embedded().client.get_run(best.run_id).info.run_name == "mlp"


def test_a_challenger_that_becomes_champion_is_no_challenger_any_more(project, trained):
    """One version has one of the two aliases."""
    trained(0.9)
    version = trained(0.8)
    for verdict in ("challenger", "champion"):
        decision = Decision(verdict, "enforce", verdict, "why")
        promotion.promote(version, lambda *_, chosen=decision: chosen)
    assert aliases.standing(version.store, "m").aliases == {"champion": 2}
    assert promotion.alias(version) == "champion"


def test_an_earlier_verdict_is_taken_back(project, trained):
    """Tags of a decision are replaced by those of the next."""
    version = trained(0.9)
    first = better(version, None, None)
    promotion.promote(version, better)
    promotion.promote(version, lambda *_: replace(first, verdict="first"))
    assert registry.versions("m")[0].tags["gate"] == "first"


def test_a_decision_is_made_again_when_the_champion_changed_meanwhile(project, trained):
    """Somebody promotes version 2 while version 3 is measured against version 1."""
    for accuracy in (0.9, 0.95):
        version = trained(accuracy)
    promotion.promote(registry.versions("m")[1], better)
    candidate, seen = trained(0.93), []

    def slow(mine, champion, now):
        seen.append(champion.number)
        if len(seen) == 1:
            aliases.change(now, {"champion": version.number}, action="promote", why="I say so")
        return better(mine, champion, now)

    assert promotion.promote(candidate, slow).alias == "challenger"
    assert seen == [1, 2]
    assert registry.champion("m").number == 2


def test_who_is_overtaken_for_ever_is_told(project, trained):
    """Deciding anew has an end."""
    versions = [trained(accuracy) for accuracy in (0.7, 0.8, 0.9)]

    def overtaken(_mine, champion, now):
        other = 2 if champion is None or champion.number == 1 else 1
        aliases.change(now, {"champion": other}, action="promote", why="I say so")
        return Decision("champion", "enforce", "passed", "why")

    with pytest.raises(UserError, match="changed meanwhile"):
        promotion.promote(versions[2], overtaken)


def test_the_champion_loads_and_predicts(project, trained, predict):
    """The alias loads as MLflow's generic model, for each size of batch; it knows its input."""
    promotion.promote(trained(0.5), better)
    for n in (1, 3):
        logits = predict("models:/m@champion", np.zeros((n, 28, 28), np.uint8))
        np.testing.assert_allclose(logits, np.full((n, 10), 0.5))
    with pytest.raises(Exception, match="shape"):
        predict("models:/m@champion", np.zeros((1, 14, 14), np.uint8))
