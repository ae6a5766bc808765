"""Training is reproducible, resumable and tracked; the saved model describes itself."""

import contextlib
import csv
import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from digits.datasets import split_files
from digits.inference import classifier
from digits.project import atomic_files, hashing, params_file, stage
from digits.project.errors import UserError
from digits.tracking import run_context, tracking_store
from digits.training import checkpoint, onnx_export, save_model
from stages.evaluate import evaluate
from stages.train import train
from tests import processes

MODEL_FILES = Path("models/digits/model.onnx"), Path("models/digits/weights.pt")
RESULTS = (*MODEL_FILES, Path("metrics/history.csv"), Path("metrics/train.json"))


def run_train(folder=Path()):
    """Train in the working directory with the values of params.yaml in `folder`."""
    train(**stage.section_arguments(train, params_file.load_params(folder / "params.yaml")))


def run_evaluate():
    """Evaluate the model of the working directory."""
    evaluate(**stage.section_arguments(evaluate, params_file.load_params()))


def enter_results(workspace, once, name, run_stage):
    """Copy into the workspace what `run_stage` leaves in it; that is made once for all tests."""

    def fill(folder):
        shutil.copytree(workspace, folder)
        with contextlib.chdir(folder):
            run_stage()

    shutil.copytree(once(name, fill), workspace, dirs_exist_ok=True)
    tracking_store.embedded_store()  # repairs the paths of the copy


@pytest.fixture
def trained(workspace, once):
    """A workspace after a training."""
    enter_results(workspace, once, "trained", run_train)
    return workspace


def hashes():
    """Return the hashes of the model's files and of the numbers."""
    return [hashing.file_sha256(path) for path in RESULTS]


def the_run():
    """Return the only run in the store."""
    here = tracking_store.current_store()
    (run,) = here.client.search_runs([here.experiment])
    return run


def test_a_killed_and_interrupted_training_ends_with_the_same_bytes(trained, capsys):
    """After kill -9 and after Ctrl-C the same command continues in the same run."""
    undisturbed, first = hashes(), the_run().info.run_id
    for path in RESULTS:
        path.unlink()
    here = tracking_store.current_store()

    assert stopped_after(1, signal.SIGKILL) == (-signal.SIGKILL, "")
    (remaining,) = Path(".state/checkpoints").iterdir()
    message = "train: interrupted; the same command goes on from here\n"
    assert stopped_after(2, signal.SIGINT) == (130, message)
    newest = here.client.search_runs([here.experiment])[0]
    assert newest.info.status == "KILLED"
    assert not any(path.exists() for path in RESULTS)
    run_train()

    output = capsys.readouterr().out
    assert "continuing after epoch" in output
    assert "epoch   1" not in output
    assert re.search("^kept: epoch [123], which has the best validation accuracy", output, re.M)
    assert hashes() == undisturbed
    assert not remaining.exists()
    others = [r for r in here.client.search_runs([here.experiment]) if r.info.run_id != first]
    assert [r.info.status for r in others] == ["FINISHED"]
    losses = here.client.get_metric_history(newest.info.run_id, "validation/loss")
    assert {m.step for m in losses} == {1, 2, 3}


def stopped_after(epoch, number):
    """Train until `epoch` is printed, then send a signal; return exit status and stderr."""
    with processes.Process("train") as process:
        for line in iter(process.readline, ""):
            if line.startswith(f"epoch   {epoch}"):
                process.send_signal(number)
                break
        errors = process.communicate()[1]
    return process.returncode, errors


def test_the_run_records_the_lineage_of_the_model(trained):
    """Parameters, inputs, metrics and the model are in the run, whose id is in the manifest."""
    run = the_run()

    assert run.info.status == "FINISHED"
    assert run.data.params["model.mlp.hidden"] == "[32]"
    assert run.data.params["train.epochs"] == "3"
    tags = run_context.unfold_tags(run.data.tags)
    assert tags["git.commit"] == "no commit"
    digest = hashing.file_sha256(trained / "data/splits/train.npz")
    assert tags["input.data/splits/train.npz"] == digest
    assert {i.dataset.digest for i in run.inputs.dataset_inputs} >= {digest[:36]}
    assert len(run.outputs.model_outputs) == 1
    assert run.data.metrics["validation/accuracy"] > 0.5
    manifest = atomic_files.read_json(trained / "models/digits/manifest.json")
    assert manifest["run_id"] == run.info.run_id


def test_the_saved_model_describes_itself(trained):
    """Both forms load without params.yaml or pickle, have the same description, and agree.

    They have the weights of the epoch with the highest validation accuracy.
    """
    (trained / "params.yaml").unlink()
    split = split_files.load(trained / "data/splits/validation.npz")

    model = classifier.load(trained / "models/digits")
    saved = torch.load(MODEL_FILES[1], weights_only=True)
    logits = save_model.logits_from_weights(MODEL_FILES[1], split.images)
    assert np.abs(logits - model.logits(split.images)).max() < 1e-4
    assert model.classes == saved["classes"] == [str(i) for i in range(10)]
    assert saved["network"]["mlp"]["hidden"] == [32]
    assert saved["normalisation"]["range"] == [-1.0, 1.0]
    metadata = model.session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["network"]) == saved["network"]
    history = csv.DictReader((trained / "metrics/history.csv").read_text().splitlines())
    best = max(float(row["validation_accuracy"]) for row in history)
    numbers = atomic_files.read_json(trained / "metrics/train.json")
    names = ("accuracy", "balanced_accuracy", "loss", "n")
    scores = {f"validation_{name}" for name in names}
    assert set(numbers) == {"parameters", *scores}
    assert numbers["validation_accuracy"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("form", ["weights", "graph"])
def test_forms_that_disagree_are_not_saved(workspace, monkeypatch, form):
    """Both files are read again: if one has other values, the folder is not made."""
    export, torch_bytes = onnx_export.export_onnx, checkpoint.torch_bytes

    def changed_bytes(state):
        changed = {k: v * 1.1 for k, v in state.get("weights", {}).items()}
        return torch_bytes(state | {"weights": changed})

    if form == "weights":
        monkeypatch.setattr(checkpoint, "torch_bytes", changed_bytes)
    else:
        monkeypatch.setattr(onnx_export, "export_onnx", lambda n, t, *a: export(n, 2 * t, *a))

    with pytest.raises(UserError, match="the ONNX form's logits differ from torch's by"):
        run_train(workspace)

    assert not MODEL_FILES[0].parent.exists()


def test_a_diverging_training_fails(workspace, values):
    """The error names the learning rate, the run is FAILED, and no model is written."""
    values["train"] |= {"learning_rate": 1e30, "precision": "float32"}
    values["model"]["mlp"]["batch_norm"] = False
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))

    with pytest.raises(UserError, match=r"lower train\.learning_rate"):
        run_train(workspace)

    assert the_run().info.status == "FAILED"
    assert not (workspace / "models/digits").exists()
