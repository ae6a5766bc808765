"""The journal reads the lines of older versions, and interrupts no write."""

import signal

import pytest

from digits.tracking import journal_folders, logged_model, run_lookup, run_writer, runs
from tests.stores import NOTHING

# One line of each kind that `digits send` does not decide on, as older versions wrote them.
OLD_LINES = """
{"name": "old", "tags": {}, "moment": 5}
{"kind": "tags", "facts": {"values": {"t": "1", "error": "x"}}}
{"kind": "params", "facts": {"values": {"a.b": "2"}}}
{"kind": "inputs", "facts": {"pictures": [["train.npz", 3, "ab"]]}}
{"kind": "model", "facts": {"digest": "d", "step": 1, "kept": "m"}}
{"kind": "metrics", "facts": {"points": [["x", 0.5, 1, 7]], "of_model": true, "resumed": true}}
{"kind": "artifacts", "facts": {"folder": "evaluation", "kept": "a"}}
{"kind": "end", "facts": {"status": "FAILED", "moment": 8, "clock": "s", "seconds": 3.5}}
{"kind": "reopen", "facts": {}}
{"kind": "end_killed", "facts": {"moment": 9}}"""


def test_lines_of_older_versions_are_written(project, client, make_model, example):
    """Each kind of line, with the names of its arguments, is still understood."""
    folder = project / ".state/runs/own" / f"{'0' * 32}-1"
    (folder / "a/note").mkdir(parents=True)
    (folder / "a/note/text").touch()
    logged_model.pack_model(make_model(), folder / "m", example)
    (folder / "journal.jsonl").write_text(OLD_LINES)
    (waiting,) = journal_folders.unlocked_journals()
    waiting.flush()
    waiting.close()

    run = client.get_run(run_lookup.find_run("0" * 32).run_id)
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("old", "KILLED", 9)
    assert (run.data.params, run.data.metrics) == ({"a.b": "2"}, {"x": 0.5, "s": 3.5})
    assert (run.data.tags["t"], "error" in run.data.tags) == ("1", False)
    assert (len(run.inputs.dataset_inputs), len(run.outputs.model_outputs)) == (1, 1)
    (artifact,) = client.list_artifacts(run.info.run_id, "evaluation")
    assert (artifact.path, folder.exists()) == ("evaluation/note", False)


def test_ctrl_c_waits_for_a_write_to_the_embedded_store(project, client, monkeypatch):
    """An interrupted write would leave the database locked, and the run could not end."""

    def slow(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        run_writer.log_metrics(*arguments, **options)

    monkeypatch.setitem(run_writer.WRITERS, "metrics", slow)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    with pytest.raises(KeyboardInterrupt), runs.tracked_run("r", **NOTHING) as run:
        run.log_epoch(1, {"x": 1.0})
    stored = client.get_run(run.id)
    assert (stored.info.status, stored.data.metrics["x"]) == ("KILLED", 1.0)


def test_a_rejected_entry_is_left_out(project, client, capfd):
    """A value that the store rejects costs one line on stderr, not the run."""
    with runs.tracked_run("r", **NOTHING) as run:
        run.log_epoch(1, {"bad*name": 1.0})
        run.log_epoch(2, {"good": 1.0})
    stored = client.get_run(run.id)
    assert (stored.data.metrics["good"], stored.info.status) == (1.0, "FINISHED")
    assert capfd.readouterr().err.count("not recorded") == 1
