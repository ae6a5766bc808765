"""A model becomes a version once for its bytes, and champion when the gate lets it."""

import json
import shutil

import pytest
import yaml

from digits.cli.send import send
from digits.project import atomic_files
from digits.project.errors import UserError
from digits.registry import alias_moves, artifact_removal, version_download
from digits.registry.promotion_decision import DECISION_TAG
from digits.tracking import tracking_store
from tests.conftest import standing
from tests.registry.conftest import embedded_client, list_versions, move
from tests.stores import NOBODY

NOTE = "note: version 1 may have been trained on some of these images"

AGAIN = "this model is registered already: "


def failed(entry):
    """The rules that a model did not pass."""
    return {name for name, rule in entry["gate"]["rules"].items() if not rule["passed"]}


def test_the_gate_lets_the_better_one_in_with_every_number(enter, workspace, capsys):
    """The first has nothing to beat, each rule keeps one out; the same bytes change nothing.

    Others are blind to a class, overconfident or slow, or just as good as the champion.
    """
    first = enter("poor")
    assert (first["version"], first["alias"]) == (1, "champion")
    assert (first["gate"]["verdict"], first["gate"]["rules"]) == ("first", {})
    check_refused(enter("blind"), "classes")
    check_refused(enter("loud"), "calibration")
    check_refused(enter("slow", latency=1.3), "latency")  # it takes about 1.8 times as long
    capsys.readouterr()
    check_accepted(enter("good"), capsys.readouterr().out)
    written = (workspace / "metrics/register.json").read_bytes()
    enter("good")
    assert (workspace / "metrics/register.json").read_bytes() == written
    assert capsys.readouterr().out == f"{AGAIN}digits version 5 is champion\n"

    entry = enter("same")
    check_refused(entry, "better")
    assert "images gained" in entry["gate"]["why"]
    written, moves = (workspace / "metrics/register.json").read_bytes(), len(standing().log.entries)
    enter("same")
    assert (workspace / "metrics/register.json").read_bytes() == written
    assert f"{AGAIN}digits version 6 is challenger\ngate" in capsys.readouterr().out
    assert [v.number for v in list_versions()] == [6, 5, 4, 3, 2, 1]
    assert standing().aliases == {"champion": 5, "challenger": 6}
    assert len(standing().log.entries) == moves


def check_accepted(entry, output):
    """That version 5 beat version 1; its numbers are in file, tags, record and table."""
    gate = entry["gate"]
    assert (entry["version"], entry["alias"], gate["verdict"]) == (5, "champion", "passed")
    assert (gate["champion"], gate["n"], failed(entry)) == (1, 500, set())
    assert gate["rules"]["better"]["p"] < 0.05
    assert gate["rules"]["better"]["interval"][0] > 0
    version = list_versions()[0]
    model, tags = artifact_removal.logged_model_id(version), version.tags
    files = [file.path for file in version.store.client.list_logged_model_artifacts(model)]
    assert version_download.CARD_FILE in files
    assert version_download.download_to_cache(version).name == version.content_sha256
    assert tags["gate"] == "passed"
    assert " us" in tags[DECISION_TAG]
    assert "\nbetter    " in output
    assert "digits version 5 is champion; passed: better: " in output
    before, *_, after = standing().log.entries
    assert (before.moves, after.gate) == ({"champion": (None, 1)}, gate)
    assert (before.action, before.why) == ("register", "the first version, there is none to beat")


def check_refused(entry, rule):
    """That a model is challenger because of one rule."""
    assert (entry["alias"], entry["gate"]["verdict"]) == ("challenger", "failed")
    assert failed(entry) == {rule}
    assert entry["gate"]["why"].startswith(f"{rule}: ")


def test_a_dry_run_measures_and_moves_nothing(enter, capsys):
    """dry-run: the verdict is kept, no alias is touched, the first version's neither.

    Of unknown or other training images, a reader is told; validation images have to be these.
    """
    first = enter("poor", gate="dry-run")
    enter("poor")
    assert NOTE not in capsys.readouterr().out
    second = enter("good", gate="dry-run")

    assert [e["alias"] for e in (first, second)] == ["none", "none"]
    assert [e["gate"]["verdict"] for e in (first, second)] == ["first", "passed"]
    assert standing().aliases == {"champion": 1}
    assert list_versions()[0].tags["gate.mode"] == "dry-run"
    assert NOTE in capsys.readouterr().out
    client = embedded_client()
    for digests, weak in (("ab", True), ("aa", False)):
        for number, digest in zip("12", digests, strict=True):
            client.set_model_version_tag("digits", number, "input.data/splits/train.npz", digest)
        enter("good", gate="dry-run")
        assert (NOTE in capsys.readouterr().out) is weak
    client.set_model_version_tag("digits", "2", "input.data/splits/validation.npz", "other")
    entry = enter("good")
    assert (entry["alias"], entry["gate"]["verdict"]) == ("challenger", "incomparable")
    assert "`digits promote` makes it champion" in entry["gate"]["why"]


def test_with_the_gate_off_the_newest_is_champion_until_it_is_rolled_back_from(enter):
    """off: nothing is measured. A version that a person withdrew does not come back by itself."""
    enter("poor", gate="off")
    entry = enter("good", gate="off")

    assert (entry["alias"], entry["gate"]["verdict"]) == ("champion", "off")
    assert standing().log.entries[-1].why == "the gate is off, the newest version is champion"
    move(1, "rollback", "bad sevens")
    for mode in ("enforce", "off"):
        entry = enter("good", gate=mode)

        assert (entry["alias"], entry["gate"]["verdict"]) == ("challenger", "withdrawn")
        assert "rolled back from it: bad sevens; `digits promote`" in entry["gate"]["why"]


def test_a_champion_that_is_damaged_or_has_no_alias_is_not_replaced_unmeasured(enter, workspace):
    """Its files were changed: one line. Its alias was deleted: the record knows of a champion."""
    enter("good")
    (graph,) = workspace.glob("mlartifacts/**/artifacts/model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=r"nothing can be compared with the champion.*rollback"):
        enter("poor")
    assert standing().aliases == {"champion": 1}

    embedded_client().delete_registered_model_alias("digits", "champion")
    entry = enter("poor")

    assert (entry["alias"], entry["gate"]["verdict"]) == ("challenger", "no champion")


def test_what_waits_is_judged_against_the_servers_champion(
    enter, workspace, values, empty_store, monkeypatch
):
    """`digits send` decides with the gate, on pictures as they are then; the file says it all."""
    validation = workspace / "data/splits/validation.npz"
    team = f"sqlite:///{shutil.copy(empty_store, workspace / 'team.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team)
    enter("poor")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    entry = enter("blind")
    assert (entry["version"], entry["alias"], entry["gate"]["verdict"]) == (None, *["waiting"] * 2)
    enter("good")
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team)
    validation.rename(workspace / "away.npz")
    with pytest.raises(UserError, match=r"validation.npz is missing.*run `digits send` again"):
        send()
    (workspace / "away.npz").rename(validation)
    send()

    state = alias_moves.alias_state(tracking_store.current_store(), "digits")
    assert state.aliases == {"champion": 3, "challenger": 2}
    moves = [{"champion": (None, 1)}, {"challenger": (None, 2)}, {"champion": (1, 3)}]
    assert [e.moves for e in state.log.entries] == moves
    assert state.log.problems == ()
    entry = atomic_files.read_json(workspace / "metrics/register.json")
    assert (entry["version"], entry["alias"]) == (3, "champion")
    sent = list_versions()
    assert [v.tags["gate"] for v in sent] == ["passed", "failed", "first"]
    assert json.loads(sent[0].tags[DECISION_TAG])["champion"] == 1
