"""The command line says what to do where there is nothing to show."""

import pytest

from stages.cli import app
from stages.lib import stage


def run(*arguments):
    """The exit status of `digits` with `arguments`."""
    try:
        return stage.guarded("digits", lambda: app(arguments))
    except SystemExit as end:
        return end.code


def test_help_names_every_command(capsys):
    """`digits` alone and `digits --help` list the commands with what they do."""
    assert run("--help") == 0
    told = capsys.readouterr().out

    for name in ("results", "versions", "report", "ui", "send"):
        assert f" {name} " in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results"], "metrics/train.json: No such file or directory; `dvc repro` makes it"),
        (["versions"], "digits has no version yet; `dvc repro` registers one"),
        (["send"], "no tracking server to send to; set MLFLOW_TRACKING_URI to its address"),
        (["report", "--kinds", "mlp,rnn"], "rnn, seed 1: model.kind is 'rnn'"),
    ],
)
def test_where_there_is_nothing_one_line_says_what_to_do(workspace, capsys, arguments, words):
    """Nothing trained, registered or configured: one line, status 2."""
    assert run(*arguments) == 2
    told = capsys.readouterr().err

    assert words in told
    assert told.count("\n") == 1


def test_outside_of_a_project_one_line_says_so(tmp_path, monkeypatch, capsys):
    """In a folder without dvc.yaml the message says where to go."""
    monkeypatch.chdir(tmp_path)

    assert run("results") == 2
    assert "run this in the project's folder" in capsys.readouterr().err
