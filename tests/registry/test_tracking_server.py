"""On a real tracking server: outages lose nothing and make nothing twice; it removes its files."""

import time
from contextlib import suppress
from itertools import count

import pytest
import requests
from mlflow import MlflowClient

from digits.project import hashing
from digits.project.errors import UserError
from digits.registry import alias_moves, artifact_removal, send_pending
from digits.registry.lineage import trace_lineage
from digits.registry.model_reference import resolve
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import logged_model, run_lookup, runs, tracking_store
from tests import sealed
from tests.drawing import CHROMIUM, browser
from tests.registry.conftest import list_versions, register
from tests.registry.test_artifact_removal import remove, size_on_disk
from tests.registry.test_send_pending import RUN, first_wins, waiting
from tests.registry.test_version_download import FILES, refusal
from tests.service import service
from tests.stores import NOBODY, linear, register_later

CALLS = ["create_run", "create_logged_model", "create_model_version"]


def train(name, folder, example, during=lambda: None, after=lambda: None):
    """Log and evaluate a model, and postpone its registration; the id of its run.

    `during` is called after the first epoch, `after` before the evaluation.
    """
    with runs.tracked_run("mlp", **RUN) as run:
        run.log_inputs({"train.npz": 3})
        run.log_epoch(1, {"accuracy": 0.8})
        during()
        for epoch in (2, 3):
            run.log_epoch(epoch, {"accuracy": 0.9})
        run.log_model(folder, example, {"validation/accuracy": 0.9}, 2)
    after()
    with runs.reopen_run(run.id) as added:
        added.log_metrics({"test/accuracy": 0.7})
        added.log_files([folder / "weights.pt"])
    register_later(name, folder, run.id)
    return run.id


def check_whole(name, run_id):
    """Everything that `train` logs is on the server, once, and nothing waits."""
    store = tracking_store.current_store()
    (run,) = store.client.search_runs([store.experiment])
    stored_id = run.info.run_id
    assert (run_lookup.find_run(run_id).run_id, run.info.status) == (stored_id, "FINISHED")
    history = store.client.get_metric_history(stored_id, "accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.8), (2, 0.9), (3, 0.9)]
    for key in ("test/accuracy", "time/training", "time/evaluation"):
        assert len(store.client.get_metric_history(stored_id, key)) == 1
    assert run.data.params == {"a.b": "1"}
    files = {file.path for file in store.client.list_artifacts(stored_id)}
    assert files >= {"lineage.json", "weights.pt"}
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "train"
    (model,) = store.client.search_logged_models([store.experiment])
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    numbers = sorted((m.key, m.value) for m in model.metrics)
    assert numbers == [("test/accuracy", 0.7), ("validation/accuracy", 0.9)]
    (version,) = list_versions(name)
    expected = (1, stored_id, ("champion",))
    assert (version.number, version.run_id, version.aliases) == expected
    assert version.tags["input.train.npz"] == "ab"
    assert alias_moves.alias_state(version.store, name).log.problems == ()
    assert waiting() == []


def test_an_outage_in_the_middle_loses_nothing(server, make_model, example, capfd):
    """It hangs and is killed later: work goes on, within seconds, and `send` completes all."""
    started = time.monotonic()
    run_id = train(server.name, make_model(), example, server.pause, server.kill)
    assert time.monotonic() - started < 30
    out, err = capfd.readouterr()
    assert (out, err.count("\n"), "digits send" in err) == ("", 1, True), err

    server.start()
    summary = send_pending.send_pending(first_wins)
    assert (summary.runs, len(summary.versions)) == ({run_id}, 1)
    check_whole(server.name, run_id)
    assert str(send_pending.send_pending(first_wins)).startswith("nothing waits")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("note: no model card was stored")  # this model's manifest is empty
    assert err.count("\n") == 1


def test_a_sending_cut_off_at_any_call_makes_nothing_twice(
    server, make_model, example, monkeypatch
):
    """The process dies after each call in turn: the server did it, nobody was told."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    run_id = train(server.name, make_model(), example)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)

    for allowed in count(1):
        with monkeypatch.context() as broken:
            deadly(broken, allowed)
            with suppress(UserError):
                send_pending.send_pending(first_wins)
                break
    assert allowed > 10
    check_whole(server.name, run_id)


def deadly(patch, allowed):
    """Let `allowed` requests reach the server; the answer of the last is lost."""
    real, done = requests.Session.request, count(1)

    def request(*arguments, **options):
        answer = real(*arguments, **options)
        if next(done) >= allowed + 1:  # the first asks whether the server is there
            raise ConnectionError("the network is gone")
        return answer

    patch.setattr(requests.Session, "request", request)


def test_a_server_that_hangs_at_any_call_makes_nothing_twice(
    server, make_model, example, monkeypatch
):
    """What was asked of it while it hung, it does when it goes on; asked again, only once."""
    for call in CALLS:
        hang_once(server, monkeypatch, call)
    run_id = train(server.name, make_model(), example)
    send_pending.send_pending(first_wins)

    assert all(getattr(MlflowClient, call).__name__ == call for call in CALLS)
    check_whole(server.name, run_id)


def hang_once(server, patch, call):
    """Let the server hang at the next `call` of a client, until the client has given up."""
    real = getattr(MlflowClient, call)

    def hanging(*arguments, **options):
        patch.setattr(MlflowClient, call, real)
        server.pause()
        try:
            return real(*arguments, **options)
        finally:
            server.proceed()

    patch.setattr(MlflowClient, call, hanging)


def test_files_go_and_come_back(server, trained, tmp_path):
    """The server removes a version's files; numbers stay; building the same bytes brings them back.

    The files of another version stay.
    """
    version, other = (trained(accuracy, server.name) for accuracy in (0.7, 0.75))
    before = size_on_disk(version), size_on_disk(other)
    assert remove(version) is True

    intact, gone = list_versions(server.name)
    assert gone.tags[REMOVED_TAG] == "by anna"
    assert REMOVED_TAG not in intact.tags
    assert (size_on_disk(gone), size_on_disk(intact)) == (0, before[1])
    assert before[0] > len(linear(0.0).SerializeToString())
    metrics = gone.store.client.get_logged_model(artifact_removal.logged_model_id(gone)).metrics
    assert {m.key for m in metrics} == {"validation/accuracy", "test/accuracy"}
    folder = tmp_path / "model-0.7"
    assert register(server.name, folder, version.run_id, "hash 0.7").number == version.number
    assert REMOVED_TAG not in list_versions(server.name)[-1].tags
    uri = f"models:/{server.name}/1/model.onnx"
    graph = logged_model.download_artifact(version.store, uri, tmp_path)
    assert hashing.file_sha256(graph) == hashing.file_sha256(folder / "model.onnx")


def published(server, project):
    """A version on the server, the champion, of a model with random weights in `project`."""
    text = (sealed.ROOT / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("name: digits ", f"name: {server.name} "))
    version = sealed.publish(project / "model", 1, server.name)
    version.store.client.set_registered_model_alias(server.name, "champion", "1")
    return version


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_models_page_links_to_its_run(server, project):
    """The link of `/model` opens the run's page on the server that the service asks."""
    version = published(server, project)
    settings = {"environment": {"MLFLOW_TRACKING_URI": server.uri}}
    with (
        service.served(project, "--model", "model", **settings) as (_, (host, port)),
        browser() as chromium,
    ):
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"http://{host}:{port}/model")
        page.get_by_role("link", name=version.run_id).click()
        page.wait_for_url(f"{server.uri}/#/experiments/**")
        page.get_by_text(version.run_id).first.wait_for()


def test_without_its_server_what_was_downloaded_is_still_here(server, project, capsys):
    """The registered bytes; then the last meaning of a name counts, which is told, and no other."""
    version = published(server, project)
    folder = resolve("champion").folder
    for name in FILES:
        assert (folder / name).read_bytes() == (project / "model" / name).read_bytes()
    server.kill()

    assert resolve("champion").folder == folder
    assert "champion is version 1 as of" in capsys.readouterr().err
    assert trace_lineage("champion")["model"]["content_sha256"] == version.content_sha256
    assert "does not answer" in refusal("1")
    (folder / "weights.pt").write_bytes(b"changed")
    assert "does not answer" in refusal()
