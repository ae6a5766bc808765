"""Training is reproducible, resumable and tracked; what it saves describes itself."""

import csv
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
import torch
import yaml

from digits.datasets import split_files
from digits.inference import classifier
from digits.project import atomic_files, hashing, params_file, stage
from digits.project.errors import UserError
from digits.tracking import tracking_store
from digits.training import checkpoint, onnx_export
from digits.training.save_model import logits_from_weights
from stages.evaluate import evaluate
from stages.train import train
from tests import processes

MODEL = ("model.onnx", "weights.pt")


def run_train(folder):
    """Train in `folder` with the values of its params.yaml."""
    train(**stage.section_arguments(train, params_file.load_params(folder / "params.yaml")))


def run_evaluate():
    """Evaluate what was trained here."""
    evaluate(**stage.section_arguments(evaluate, params_file.load_params()))


def hashes(folder):
    """What the model's files and the numbers hash to."""
    names = [folder / "models/digits" / name for name in MODEL]
    return [
        hashing.file_sha256(p)
        for p in [*names, folder / "metrics/history.csv", folder / "metrics/train.json"]
    ]


def the_run():
    """The only run there is."""
    here = tracking_store.current_store()
    (run,) = here.client.search_runs([here.experiment])
    return run


def test_the_same_inputs_give_the_same_bytes(workspace, values):
    """Trained twice, both model files and all numbers are byte-identical."""
    values["model"]["kind"] = "cnn"
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))
    found = []
    for _ in range(2):
        run_train(workspace)
        found.append(hashes(workspace))

    assert found[0] == found[1]


def test_killed_and_interrupted_training_goes_on_and_ends_with_the_same_bytes(workspace):
    """After kill -9, then after Ctrl-C, the command continues in the same run to the same model."""
    run_train(workspace)
    undisturbed = hashes(workspace)
    shutil.rmtree(workspace / "models")
    first = the_run().info.run_id
    here = tracking_store.current_store()

    assert stopped_after(1, signal.SIGKILL) == (-signal.SIGKILL, "")
    (left,) = (workspace / ".state/checkpoints").iterdir()
    told = "train: interrupted; the same command goes on from here\n"
    assert stopped_after(2, signal.SIGINT) == (130, told)
    newest = here.client.search_runs([here.experiment])[0]
    assert newest.info.status == "KILLED"
    assert not (workspace / "models/digits").exists()
    resumed = processes.run("train")

    assert resumed.returncode == 0, resumed.stderr
    assert "going on after epoch" in resumed.stdout
    assert "epoch   1" not in resumed.stdout
    assert hashes(workspace) == undisturbed
    assert not left.exists()
    others = [r for r in here.client.search_runs([here.experiment]) if r.info.run_id != first]
    assert [r.info.status for r in others] == ["FINISHED"]
    losses = here.client.get_metric_history(newest.info.run_id, "validation_loss")
    assert {m.step for m in losses} == {1, 2, 3}


def stopped_after(epoch, number):
    """Train until `epoch` is told, then send a signal: the exit status and the errors."""
    with processes.Process("train") as process:
        for line in iter(process.readline, ""):
            if line.startswith(f"epoch   {epoch}"):
                process.send_signal(number)
                break
        told = process.communicate()[1]
    return process.returncode, told


def test_the_run_carries_what_the_model_came_from(workspace):
    """Parameters, epochs, inputs, model and source are in the run."""
    run_train(workspace)
    run = the_run()

    assert run.info.status == "FINISHED"
    assert run.data.params["model.mlp.hidden"] == "[32]"
    assert run.data.params["train.epochs"] == "3"
    assert run.data.tags["git.commit"] == "no commit"
    digest = hashing.file_sha256(workspace / "data/splits/train.npz")
    assert run.data.tags["input.data/splits/train.npz"] == digest
    assert {i.dataset.digest for i in run.inputs.dataset_inputs} >= {digest[:36]}
    assert len(run.outputs.model_outputs) == 1
    assert run.data.metrics["validation_accuracy"] > 0.5
    manifest = atomic_files.read_json(workspace / "models/digits/manifest.json")
    assert manifest["run_id"] == run.info.run_id


def test_the_saved_model_describes_itself(workspace):
    """Both forms load without params.yaml or pickle, say what they are, and agree.

    They are of the epoch with the highest validation accuracy.
    """
    run_train(workspace)
    (workspace / "params.yaml").unlink()
    part = split_files.load(workspace / "data/splits/validation.npz")

    model = classifier.load(workspace / "models/digits")
    saved = torch.load(workspace / "models/digits/weights.pt", weights_only=True)
    ours = logits_from_weights(workspace / "models/digits/weights.pt", part.images)
    assert np.abs(ours - model.logits(part.images)).max() < 1e-4
    assert model.classes == saved["classes"] == [str(i) for i in range(10)]
    assert saved["network"]["mlp"]["hidden"] == [32]
    assert saved["normalisation"]["range"] == [-1.0, 1.0]
    told = model.session.get_modelmeta().custom_metadata_map
    assert json.loads(told["network"]) == saved["network"]
    with (workspace / "metrics/history.csv").open() as file:
        best = max(float(row["validation_accuracy"]) for row in csv.DictReader(file))
    found = atomic_files.read_json(workspace / "metrics/train.json")
    low, high = found["validation_accuracy_interval"]
    assert found["validation_accuracy"] == pytest.approx(best, abs=1e-6)
    assert low < best < high


@pytest.mark.parametrize("form", ["weights", "graph"])
def test_a_file_that_says_something_else_is_no_model(workspace, monkeypatch, form):
    """Both files are read again: where one was written wrongly, none is left."""
    export, packed = onnx_export.export_onnx, checkpoint.torch_bytes

    def other(state):
        changed = {k: v * 1.1 for k, v in state.get("weights", {}).items()}
        return packed(state | {"weights": changed})

    if form == "weights":
        monkeypatch.setattr(checkpoint, "torch_bytes", other)
    else:
        monkeypatch.setattr(onnx_export, "export_onnx", lambda n, t, *a: export(n, 2 * t, *a))

    with pytest.raises(UserError, match="the ONNX form's logits differ from torch's by"):
        run_train(workspace)

    assert not (workspace / "models/digits").exists()


def test_a_diverging_training_is_told(workspace, values):
    """A learning rate that blows up ends in a sentence; the run is FAILED."""
    values["train"] |= {"learning_rate": 1e30, "precision": "float32"}
    values["model"]["mlp"]["batch_norm"] = False
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))

    with pytest.raises(UserError, match=r"lower train\.learning_rate"):
        run_train(workspace)

    assert the_run().info.status == "FAILED"
    assert not (workspace / "models/digits").exists()


def test_a_torn_checkpoint_counts_as_absent(workspace):
    """A checkpoint that a power cut tore is ignored."""
    checkpoint.save("k" * 64, {"epoch": 1, "weights": torch.ones(1000)})
    path = checkpoint.checkpoint_path("k" * 64)
    path.write_bytes(path.read_bytes()[:1000])

    assert checkpoint.load("k" * 64) is None


def test_abandoned_checkpoints_are_removed_after_two_weeks(workspace):
    """Finishing one training removes what nobody came back for."""
    for name in ("old", "young", "own"):
        checkpoint.save(name, {})
    fortnight = time.time() - 15 * 86400
    os.utime(checkpoint.checkpoint_path("old"), (fortnight, fortnight))

    checkpoint.delete("own")

    assert [p.stem for p in checkpoint.checkpoint_path("own").parent.iterdir()] == ["young"]
