"""Aliases move together with their record, whoever else moves them at the same time."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from digits.registry import alias_log, alias_moves
from digits.registry.alias_log import LOG_FILE
from digits.registry.alias_moves import ConcurrentUpdateError, alias_state, change_aliases
from digits.tracking import tracking_store
from tests.conftest import ROOT, commit

WRITER = """
import sys
from digits.registry.alias_moves import ConcurrentUpdateError, alias_state, change_aliases
from digits.tracking.tracking_store import current_store
number, times, done = int(sys.argv[1]), int(sys.argv[2]), 0
while done < times:
    try:
        state = alias_state(current_store(), "m")
        why = f"{number} for the {done}. time"
        for to in (number, number + 1):
            if state.aliases["champion"] != to:
                change_aliases(state, {"champion": to}, action="promote", why=why)
                done += 1
                break
    except ConcurrentUpdateError:
        pass
print(done)
"""


@pytest.fixture
def here(project):
    """The embedded store with four versions of `m` without files."""
    return filled(tracking_store.embedded_store())


def filled(where):
    """A store with four versions of `m`."""
    where.client.create_registered_model("m")
    for _ in range(4):
        where.client.create_model_version("m", "s3://nowhere/model")
    return where


def moved(where, to, action="promote", why="because"):
    """Make version `to` champion."""
    return change_aliases(alias_state(where, "m"), {"champion": to}, action=action, why=why)


def lines(folder):
    """The lines of the file in a checkout."""
    return (folder / LOG_FILE).read_text().splitlines()


def champions(where):
    """The moves of the champion in the record, in order."""
    return [e.moves["champion"] for e in alias_state(where, "m").log.changes("champion")]


def test_a_decision_about_another_champion_is_refused(here):
    """Somebody was faster: what was decided against version 1 says nothing about version 2."""
    moved(here, 1)
    state = alias_state(here, "m")
    entry = moved(here, 2)
    for _ in range(2):
        with pytest.raises(ConcurrentUpdateError, match="changed meanwhile; look again"):
            change_aliases(state, {"champion": 3}, action="register", why="better than 1")
        # the other one has written the entry and not yet moved the alias
        here.client.set_registered_model_alias("m", "champion", "1")

    assert alias_state(here, "m").log.entries[-1] == entry


def test_what_another_machine_found_is_not_taken_for_a_change_that_was_cut_off(here):
    """Its entry makes the same move and is not in the file here; the change has one of its own."""
    for to in (1, 2):
        moved(here, to)
    alias_moves._append_entry(
        alias_state(here, "m"), action="found", why="there", moves={"champion": (2, 1)}
    )
    state = alias_state(here, "m")
    entry = change_aliases(state, {"champion": 1}, action="promote", why="here")

    assert (entry.action, entry.why) == ("promote", "here")
    assert alias_state(here, "m").aliases == {"champion": 1}


def test_a_version_that_was_deleted_is_no_obstacle(here):
    """Deleting the champion in the UI takes its alias away; that is found and recorded."""
    moved(here, 1)
    here.client.delete_model_version("m", "1")
    moved(here, 2)

    assert champions(here) == [(None, 1), (1, None), (None, 2)]


def test_a_wrong_clock_changes_no_order(here, monkeypatch):
    """A year ahead, then right again: the last entry is still the last."""
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for to, days in ((1, 0), (2, 365), (3, 1)):
        monkeypatch.setattr(alias_log, "utc_now", lambda moment=noon + timedelta(days=days): moment)
        moved(here, to)

    assert alias_state(here, "m").log.version_of("champion") == 3


def test_two_branches_and_two_registries_append_and_git_merges_them(here, project, monkeypatch):
    """No conflict, no line lost; those of another registry are not compared."""
    (project / ".gitignore").write_text("*\n!metrics/\n!metrics/**\n")
    subprocess.run(["git", "init", "-q", "-b", "main", project], check=True)
    moved(here, 1)
    shutil.copy(ROOT / "metrics/.gitattributes", project / "metrics")
    commit(project, "first")
    subprocess.run(["git", "checkout", "-qb", "other"], check=True)
    moved(here, 2)
    commit(project, "second")
    subprocess.run(["git", "checkout", "-q", "main"], check=True)
    (project / "later").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/later/mlflow.db")
    later = filled(tracking_store.current_store())
    moved(later, 4)
    commit(project, "third")
    person = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *person, "merge", "-q", "other", "-m", "both"], check=True)

    assert len(lines(project)) == 3
    for where, own in ((here, 2), (later, 1)):
        record = alias_state(where, "m").log
        assert (len(record.entries), record.problems, record.unwritten) == (own, (), ())


@pytest.mark.parametrize("apart", [False, True], ids=["one checkout", "two checkouts"])
def test_two_at_once_leave_one_consistent_record(here, python, monkeypatch, tmp_path, apart):
    """Two processes that promote as fast as they can, with a common lock and without."""
    times, folders = 5, [tmp_path / "a project"] * 2
    if apart:  # on one database, but each with locks and a file of its own, as on two machines
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared.db")
        here = filled(tracking_store.current_store())
        folders = [tmp_path / f"checkout {number}" for number in (1, 3)]
    moved(here, 4)
    writers = []
    for number, folder in zip((1, 3), folders, strict=True):
        folder.mkdir(exist_ok=True)
        (folder / "dvc.yaml").write_text("stages: {}\n")
        monkeypatch.chdir(folder)
        writers.append(python(WRITER, str(number), str(times)))
    ends = [process.communicate(timeout=120) for process in writers]

    assert [out for out, _ in ends] == [f"{times}\n"] * 2, ends
    promised = {f"{n} for the {i}. time" for n in (1, 3) for i in range(times)}
    for folder in folders:
        monkeypatch.chdir(folder)
        alias_moves.append_to_log_file(alias_state(here, "m"))
        state = alias_state(here, "m")
        assert (state.log.problems, state.disagreements) == ((), [])
        assert promised <= {e.why for e in state.log.entries if e.action == "promote"}
        assert set(lines(folder)) == {e.line(state.log.identity) for e in state.log.entries}
