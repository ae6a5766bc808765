"""What is known of models/digits without the registry: what it is, or why it is not there."""

import json
import os
import shutil
from pathlib import Path

import pytest

from digits.inference import checkout_model
from digits.project import workspace

OID = "db68123bae48e31a47a4be1ba0f610b1.dir"
LOCK = f"  train:\n    outs:\n    - path: models/digits\n      hash: md5\n      md5: {OID}\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout, the working directory, that registered the model "good" as version 4."""
    monkeypatch.chdir(tmp_path)
    for name in ("metrics", ".dvc/tmp", f".dvc/cache/files/md5/{OID[:2]}"):
        Path(name).mkdir(parents=True)
    Path("dvc.yaml").touch()
    Path("dvc.lock").write_text(LOCK)
    Path("metrics/register.json").write_text('{"content_sha256": "good", "version": 4}')
    Path("metrics/evaluate.json").write_text('{"accuracy": 0.9942}')
    log_moves(("here", {"challenger": [None, 4]}))
    return tmp_path


def log_moves(*entries):
    """Write the committed log of aliases."""
    lines = [json.dumps({"registry": registry, "moves": moves}) for registry, moves in entries]
    Path("metrics/aliases.jsonl").write_text("\n".join(lines) + "\n")


def test_a_model_is_described_by_its_last_registration(root):
    """With the aliases that it has by the log now, those of the last registry; others are not."""
    assert checkout_model.describe_content("good") == "version 4, challenger, test 99.42%"
    assert checkout_model.describe_content("other") == ""
    log_moves(("other", {"rival": [1, 4]}), ("here", {"champion": [1, 4], "challenger": [4, None]}))
    assert checkout_model.describe_content("good") == "version 4, champion, test 99.42%"
    Path("metrics/aliases.jsonl").write_text("<<<<<<< HEAD")
    assert checkout_model.describe_content("good") == ""


def test_an_absent_model_is_explained(root):
    """Being trained now, lost by a failed stage, or never trained; a present one is not absent."""
    Path(".dvc/cache/files/md5", OID[:2], OID[2:]).touch()
    assert "the last `dvc repro` ended before" in checkout_model.explain_absence()

    lock = {"write": {str(root / workspace.MODEL_OUTPUT): {"pid": os.getpid(), "cmd": "dvc repro"}}}
    Path(".dvc/tmp/rwlock").write_text(json.dumps(lock))
    assert f"trained now by process {os.getpid()};" in checkout_model.explain_absence()

    shutil.rmtree(".dvc")
    assert "no model was trained here yet" in checkout_model.explain_absence()
    Path("models/digits").mkdir(parents=True)
    assert checkout_model.explain_absence() == ""


def test_a_misspelt_path_has_a_similar_one(root):
    """Each part may be misspelt; a single word is no path."""
    Path("models/digits").mkdir(parents=True)

    assert workspace.similar_path(Path("modles/digit")) == Path("models/digits")
    assert workspace.similar_path(root / "models/digts") == root / "models/digits"
    assert workspace.similar_path(Path("nothing/digits")) is None
    assert workspace.similar_path(Path("model")) is None
