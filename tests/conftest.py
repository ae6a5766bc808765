"""What several test files need: real MNIST, and a small workspace to run stages in."""

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from filelock import FileLock
from torch.onnx._internal.exporter._registration import ONNXRegistry

from digits.datasets import mnist_source, split_files
from digits.datasets.idx_files import read_mnist
from digits.datasets.split_files import LabelledImages
from digits.project import atomic_files, params_file
from digits.registry import alias_moves
from digits.tracking import mlflow_import, store_uri, tracking_store
from digits.training import save_model
from stages.register import register
from tests import processes, sealed
from tests.variants import Variants, trained

ROOT = Path(__file__).parents[1]
# Torch's exporter reads its own sources for each file, for 2 s: here once in a process.
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
mlflow_import.configure_mlflow()  # before a test imports MLflow
# Wide enough for the tiny models of `variants`, each of which can still break one.
RULES = {"gate": "enforce", "level": 0.05, "class_drop": 0.3, "ece": 0.1, "latency": 3.0}
SMALL = {"hidden": "[32]", "epochs": "1", "device": "cpu", "corrupted": "100"}  # of a clone
SMALL |= {"threads": "1", "batch_size": "500", "flagged_ones": "20"}
# They begin first, so that no worker is left with one of them when the others are through.
LONGEST = (
    "test_pipeline.py",
    "test_search.py",
    "test_train_model.py",
    "test_remotes.py",
    "test_stack.py",
    "test_rebuild_check.py",
    "test_packaging.py",
    "test_repeat_run.py",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first; the rest keeps its order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop():
    """Start the server of `tests.processes` in each process that runs tests."""
    processes.start_server()
    return (yield)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """A function: a name, and what fills a folder -> that folder, filled by one worker for all."""
    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name, fill):
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with FileLock(root / f"shared-{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half of it, where that failed before
                fill(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def raw(once):
    """MNIST's four files: those of this checkout, else downloaded."""

    def fill(folder):
        if (ROOT / "data/raw/MNIST").is_dir():
            shutil.copytree(ROOT / "data/raw/MNIST", folder / "MNIST")
        mnist_source.download(folder)

    return once("raw", fill)


@pytest.fixture(scope="session")
def official(raw):
    """The official training pictures."""
    return read_mnist(raw, train=True)


@pytest.fixture(scope="session")
def reader(once, official):
    """The folder of a model that reads well, 98 % and more: a smaller network, few epochs."""
    return once("reader", lambda folder: _train(folder / "digits", official)) / "digits"


def _train(folder, official):
    """Train that model into `folder`."""
    plain = small_values()
    plain["model"]["mlp"]["hidden"] = [256, 128]
    plain["train"]["batch_size"] = 256
    values = params_file.check_params(plain, "test")
    state = trained(values, part(official, 0, 54000), part(official, 54000, 60000))
    save_model.save_model(state, values.model, SimpleNamespace(id="0" * 32), folder)


def part(official, start, stop):
    """Some of the official pictures."""
    return LabelledImages(official.images[start:stop], official.labels[start:stop])


@pytest.fixture
def values():
    """params.yaml as plain values, small enough for a test."""
    return small_values()


def small_values():
    """The same, for what lives longer than a test."""
    found = params_file.read_yaml(ROOT / "params.yaml")
    found["model"]["mlp"]["hidden"] = [32]
    found["model"]["cnn"]["channels"] = [8]
    found["augment"]["flagged_ones"] = 20
    found["train"] |= {"epochs": 3, "batch_size": 100, "device": "cpu", "threads": 1}
    return found


@pytest.fixture(scope="session")
def empty_store(once):
    """A tracking store without runs; creating one takes seconds, copying it nothing."""

    def fill(folder):
        folder.mkdir()
        (folder / "dvc.yaml").touch()
        with contextlib.chdir(folder):
            _ = tracking_store.embedded_store().experiment

    return once("store", fill) / "mlflow.db"


@pytest.fixture
def workspace(tmp_path, monkeypatch, values, official, empty_store):
    """A folder with params.yaml, dvc.yaml and 2,000 + 500 + 500 real pictures, as cwd."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(empty_store, tmp_path)
    bounds = {"train": (0, 2000), "validation": (2000, 2500), "test": (2500, 3000)}
    for name, (start, stop) in bounds.items():
        split_files.save(part(official, start, stop), tmp_path / f"data/splits/{name}.npz")
    return tmp_path


@pytest.fixture
def pictures():
    """Ten random pictures, one of each class."""
    images = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    return LabelledImages(images, np.arange(10))


@pytest.fixture(scope="session")
def clone(tmp_path_factory, raw):
    """What a fresh clone of this checkout as it stands has, small, with MNIST in place."""
    return _clone(tmp_path_factory.mktemp("fresh") / "clone", raw)


def _clone(folder, raw):
    """Make that clone."""
    subprocess.run(["git", "init", "-q", folder], check=True)  # without the history
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    text = (folder / "params.yaml").read_text()
    for value, small in SMALL.items():
        old = rf"^( +{value}:).*(\n +- .*)*$"
        text = re.sub(old, rf"\1 {small}", text, flags=re.MULTILINE)
    (folder / "params.yaml").write_text(text)
    shutil.copytree(raw, folder / "data/raw")
    commit(folder, "small")
    return folder


@pytest.fixture(scope="session")
def built(once, raw):
    """Such a clone after `dvc repro`, its results committed; for reading and copying."""

    def fill(folder):
        call(_clone(folder, raw), "dvc", "repro")
        commit(folder, "built")

    return once("built", fill)


@pytest.fixture(scope="session")
def filled(once, empty_store):
    """A checkout without git that has two versions: 1, and 2, which is champion."""
    return once("filled", lambda folder: _fill(folder, empty_store))


def _fill(folder, empty_store):
    """Make that checkout of a new folder."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copy(empty_store, folder)
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for seed in (1, 2):
            version = sealed.publish(folder / f"model-{seed}", seed)
        version.store.client.set_registered_model_alias("digits", "champion", "2")


@pytest.fixture
def versions(filled, tmp_path, monkeypatch):
    """A copy of it, as the working directory."""
    folder = shutil.copytree(filled, tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store_uri.WARNED.clear()
    _ = tracking_store.embedded_store().client  # mends the paths of the copy
    return folder


def standing():
    """Aliases and record of `digits` in the store of the working directory."""
    return alias_moves.alias_state(tracking_store.embedded_store(), "digits")


def commit(folder, message):
    """Commit everything that git does not ignore."""
    person = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *person, "commit", "-qm", message], cwd=folder, check=True)


def call(folder, *command, check=True):
    """Run a command of the environment in `folder`, as a person would."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    if command[0] == "dvc":
        done = processes.run(*command, folder=folder, environment=environment)
    else:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


@contextlib.contextmanager
def mounted(folder, options):
    """A file system of its own on `folder`; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def variants(once, official):
    """Folders of tiny models by name: see `tests.variants`."""
    values = params_file.check_params(small_values(), "test")
    return Variants(values, once, part(official, 0, 2000), part(official, 2000, 2500))


@pytest.fixture
def enter(workspace, values, variants):
    """A function: name of a variant, changed rules -> what register wrote of it."""
    for name, content in (("train", {"validation_accuracy": 0.5}), ("evaluate", {"accuracy": 0.5})):
        atomic_files.write_json(workspace / f"metrics/{name}.json", content)

    def entered(variant, **rules):
        values["register"] |= RULES | rules
        register(params_file.check_params(values, "values").register_, variants[variant])
        return atomic_files.read_json(workspace / "metrics/register.json")

    return entered
