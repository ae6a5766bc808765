"""A decision moves the alias and stays with the version."""

from digits.registry import alias_moves, promotion, registration
from digits.tracking import tracking_store
from tests.stores import better


def test_the_better_one_is_champion_the_newest_challenger(project, trained):
    """A version says where it comes from; the better one is champion, the newest listed first."""
    found = [promotion.apply_decision(trained(a), better).alias for a in (0.9, 0.95, 0.93)]
    assert found == ["champion", "champion", "challenger"]
    newest, best, oldest = registration.list_versions(tracking_store.current_store(), "m")
    assert [v.number for v in (newest, best, oldest)] == [3, 2, 1]
    assert (newest.aliases, best.aliases, oldest.aliases) == (("challenger",), ("champion",), ())
    assert registration.find_champion(tracking_store.current_store(), "m") == best
    assert best.tags["input.train.npz"] == "ab"
    assert (best.commit, best.metric("test_accuracy")) == ("no commit", 0.94)
    assert best.tags["gate"] == "passed"
    assert tracking_store.embedded_store().client.get_run(best.run_id).info.run_name == "mlp"


def test_a_decision_is_made_again_when_the_champion_changed_meanwhile(project, trained):
    """Somebody promotes version 2 while version 3 is measured against version 1."""
    for accuracy in (0.9, 0.95):
        version = trained(accuracy)
    promotion.apply_decision(
        registration.list_versions(tracking_store.current_store(), "m")[1], better
    )
    candidate, seen = trained(0.93), []

    def slow(mine, champion, now):
        seen.append(champion.number)
        if len(seen) == 1:
            alias_moves.change_aliases(
                now, {"champion": version.number}, action="promote", why="I say so"
            )
        return better(mine, champion, now)

    assert promotion.apply_decision(candidate, slow).alias == "challenger"
    assert seen == [1, 2]
    assert registration.find_champion(tracking_store.current_store(), "m").number == 2
