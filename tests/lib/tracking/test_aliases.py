"""Aliases move together with their record, whoever else moves them at the same time."""

import pytest

from stages.lib.errors import UserError
from stages.lib.tracking import aliases, ledger, store
from stages.lib.tracking.aliases import OvertakenError, standing

WRITER = """
import sys
from stages.lib.tracking import aliases, store
from stages.lib.tracking.aliases import OvertakenError
number, times = int(sys.argv[1]), int(sys.argv[2])
here, done = store.connect(), 0
while done < times:
    try:
        seen = aliases.standing(here, "m")
        why = f"{number} for the {done}. time"
        for to in (number, number + 1):
            if seen.aliases["champion"] != to:
                aliases.change(seen, {"champion": to}, action="promote", why=why)
                done += 1
                break
    except OvertakenError:
        pass
print(done)
"""


@pytest.fixture
def here(project):
    """The embedded store with four versions of `m` without files."""
    return filled(store.embedded())


def filled(where):
    """A store with four versions of `m`."""
    where.client.create_registered_model("m")
    for _ in range(4):
        where.client.create_model_version("m", "s3://nowhere/model")
    return where


def moved(where, to, action="promote", why="because"):
    """Make version `to` champion."""
    return aliases.change(standing(where, "m"), {"champion": to}, action=action, why=why)


def test_a_change_is_recorded_and_marks_its_version(here):
    """Alias, entry and mark tell the same."""
    for to in (1, 2):
        entry = moved(here, to)

    now = standing(here, "m")
    assert now.aliases == {"champion": 2}
    assert [e.moves for e in now.record.entries] == [{"champion": (None, 1)}, {"champion": (1, 2)}]
    assert here.client.get_model_version("m", "2").tags == {entry.key: "champion"}
    assert "@" in entry.who
    assert (now.disagreements, now.record.problems) == ([], ())


def test_an_alias_can_be_moved_away_with_another(here):
    """Several aliases of one change are one entry; what is so already is none."""
    aliases.change(standing(here, "m"), {"challenger": 3}, action="register", why="new")
    entry = aliases.change(
        standing(here, "m"), {"champion": 3, "challenger": None}, action="promote", why="better"
    )
    again = aliases.change(standing(here, "m"), {"champion": 3}, action="promote", why="better")

    assert standing(here, "m").aliases == {"champion": 3}
    assert entry.moves == {"champion": (None, 3), "challenger": (3, None)}
    assert again is None


def test_what_was_moved_by_other_means_is_noticed_and_recorded(here):
    """First told as a disagreement, then, before the next change, an entry of its own."""
    moved(here, 1)
    here.client.set_registered_model_alias("m", "champion", "4")

    assert standing(here, "m").disagreements == [
        "champion is version 4 in the registry and version 1 in the record: "
        "it was moved by other means, or a change was cut off"
    ]
    moved(here, 2)
    now = standing(here, "m")
    assert [(e.action, e.moves["champion"]) for e in now.record.entries] == [
        ("promote", (None, 1)),
        ("found", (1, 4)),
        ("promote", (4, 2)),
    ]
    assert now.disagreements == []


def test_an_alias_from_before_the_record_is_its_first_entry(here):
    """A registry that had a champion before this record began."""
    here.client.set_registered_model_alias("m", "champion", "3")

    assert standing(here, "m").disagreements == [
        "champion is version 3, it was set before the record began"
    ]
    moved(here, 4)
    assert [e.action for e in standing(here, "m").record.entries] == ["found", "promote"]


def test_a_change_that_was_cut_off_is_found_by_the_next(here, monkeypatch):
    """Killed between the record and the alias, the record does not go on telling it."""
    moved(here, 1)
    with monkeypatch.context() as broken:
        broken.setattr(aliases, "_settle", _die)
        with pytest.raises(ConnectionError):
            moved(here, 2)
    assert "or a change was cut off" in standing(here, "m").disagreements[0]
    moved(here, 3)

    assert [e.moves["champion"] for e in standing(here, "m").record.entries] == [
        (None, 1),
        (1, 2),
        (2, 1),
        (1, 3),
    ]


def _die(*_arguments):
    raise ConnectionError("the network is gone")


def test_a_decision_about_another_champion_is_refused(here):
    """Somebody was faster: what was decided against version 1 says nothing about version 2."""
    moved(here, 1)
    seen = standing(here, "m")
    moved(here, 2)
    with pytest.raises(OvertakenError, match="changed meanwhile, it is version 2; look again"):
        aliases.change(seen, {"champion": 3}, action="register", why="better than 1")

    assert standing(here, "m").aliases == {"champion": 2}


def test_a_tampered_record_moves_nothing(here):
    """An entry was removed: one line says so, the alias stays."""
    moved(here, 1)
    entry = moved(here, 2)
    here.client.delete_registered_model_tag("m", entry.key)
    with pytest.raises(UserError, match=f"{entry.key} was removed.*nothing was changed"):
        moved(here, 3)

    assert standing(here, "m").aliases == {"champion": 2}


def test_a_version_that_was_deleted_is_no_obstacle(here):
    """Deleting the champion in the UI takes its alias away; that is found and recorded."""
    moved(here, 1)
    here.client.delete_model_version("m", "1")
    moved(here, 2)

    now = standing(here, "m")
    assert [e.moves["champion"] for e in now.record.entries] == [(None, 1), (1, None), (None, 2)]
    assert now.record.problems == ()


@pytest.mark.parametrize("apart", [False, True], ids=["one checkout", "two checkouts"])
def test_two_at_once_leave_one_consistent_record(here, python, monkeypatch, tmp_path, apart):
    """Two processes that promote as fast as they can, with a common lock and without."""
    times = 5
    if apart:  # on one database, but each with locks of its own, as on two machines
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared.db")
        here = filled(store.connect())
    moved(here, 4)
    writers = []
    for number in (1, 3):
        if apart:
            folder = tmp_path / f"checkout {number}"
            folder.mkdir()
            (folder / "dvc.yaml").write_text("stages: {}\n")
            monkeypatch.chdir(folder)
        writers.append(python(WRITER, str(number), str(times)))
    ends = [process.communicate(timeout=120) for process in writers]

    assert [out for out, _ in ends] == [f"{times}\n"] * 2, ends
    now = standing(here, "m")
    assert now.record.problems == ()
    assert len(now.record.heads) == 1 or apart
    told = {e.why for e in now.record.entries if e.action == "promote"}
    assert {f"{n} for the {i}. time" for n in (1, 3) for i in range(times)} <= told
    assert now.disagreements == []


def test_on_a_server_it_is_the_same(server):
    """Entries, marks and aliases go through MLflow's server."""
    where = store.connect()
    name = "of-aliases"
    where.client.create_registered_model(name)
    for _ in range(2):
        where.client.create_model_version(name, "s3://nowhere/model")
    for to in (1, 2):
        aliases.change(standing(where, name), {"champion": to}, action="promote", why="x")

    now = standing(where, name)
    assert now.aliases == {"champion": 2}
    assert ledger.read(where.client.get_registered_model(name).tags) == now.record
    assert aliases.standing(where, "unknown").aliases == {}
