"""Which model `predict` and `score` take, and that a changed one is refused before it is loaded."""

import json
import shutil
from pathlib import Path

import onnxruntime
import pytest

from tests import sealed
from tests.cli.test_main import refusal, run
from tests.drawing import written
from tests.registry.test_verification import damage

COMMANDS = pytest.mark.parametrize("command", ["predict", "score"])


@COMMANDS
def test_models_digits_is_the_default_or_else_the_champion(enter, variants, capsys, command):
    """Both, and the number of a version, answer as the folder that they stand for.

    Standard error and the result name the model.
    """
    named = []

    def output(*options):
        capsys.readouterr()
        assert run(command, "mine", "--json", *options) == 0
        printed = capsys.readouterr()
        result = json.loads(printed.out)
        (answer,) = result if isinstance(result, list) else [result]
        model = answer.pop("model")
        named.append(model["title"].partition(": ")[2])
        assert f"model: {model['title']}" in printed.err
        return answer

    enter("good")
    Path("mine/3").mkdir(parents=True)
    Path("mine/3/seven.png").write_bytes(written("7"))  # a mistake: `score` prints its probability
    good, loud = (output("--model", variants[name]) for name in ("good", "loud"))

    assert good != loud
    assert output() == output("--model", "champion") == output("--model", "1") == good
    registered = "version 1, champion, test 50.00%"
    assert named == [registered, "", *[registered] * 3]
    shutil.copytree(variants["loud"], "models/digits")
    assert output() == loud


@COMMANDS
def test_a_changed_file_is_refused_before_anything_is_loaded(
    tmp_path, monkeypatch, capsys, command
):
    """One line names the file, status 2; with --model and without."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()
    damage(sealed.seal(tmp_path / "models/digits") / "weights.pt")
    monkeypatch.setattr(onnxruntime, "InferenceSession", pytest.fail)

    for options in ([], ["--model", "models/digits"]):
        assert "models/digits/weights.pt" in refusal(capsys, command, "mine", *options)


@COMMANDS
def test_without_a_model_one_line_says_how_to_get_one(workspace, capsys, command):
    """No model and no version, or an unknown version: status 2."""
    assert "no model was trained here yet; `dvc repro` trains" in refusal(capsys, command, "mine")
    message = refusal(capsys, command, "mine", "--model", "challenger")
    assert "'challenger' is no file, no folder, no git revision" in message
