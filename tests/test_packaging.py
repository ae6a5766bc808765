"""What an installation has: the package `digits` alone, and of each extra what it promises."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import call, mounted
from tests.service.conftest import request
from tests.service.service import served
from tests.stores import Server
from tests.strokes import page

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
HEAVY = {"matplotlib", "mlflow", "pandas", "pydantic", "rich", "scipy", "sklearn", "torch"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that `pip install` builds of this checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("digits", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    call(source, sys.executable, *command, "--wheel-dir", source)
    return next(source.glob("*.whl"))


class Environment:
    """An environment of its own, which grows with each lock file that is installed."""

    def __init__(self, folder):
        options = ["--without-pip"] if UV.exists() else []
        call(folder.parent, sys.executable, "-m", "venv", *options, folder)
        self.python, self.home = folder / "bin/python", folder.parent / "home"
        self.before = self.size()

    def install(self, lock, wheel):
        """Install a lock file and the wheel; the MB on disk by now, with compiled files."""
        installer, compile_all = (
            [UV, "pip", "install", "--python", self.python],
            ["--compile-bytecode"],
        )
        if not UV.exists():
            installer, compile_all = [self.python, "-m", "pip", "install"], []
        call(ROOT, *installer, "--quiet", "--require-hashes", "-r", lock)
        call(ROOT, *installer, "--quiet", *compile_all, "--no-deps", wheel)
        return self.size() - self.before

    def size(self):
        """The MB on disk of all that it has, as `du` counts them."""
        files = self.python.parents[1].rglob("*")
        return sum(path.lstat().st_blocks for path in files) * 512 / 2**20

    def run(self, folder, *arguments, **variables):
        """Run its `digits` in a folder; the process at its end."""
        keep = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        command = [self.python.with_name("digits"), *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, env=keep | variables, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment in which nothing is installed."""
    return Environment(tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture
def image(tmp_path):
    """The file of a picture of a seven."""
    Image.fromarray(page("7", np.random.default_rng(0))).save(tmp_path / "seven.png")
    return tmp_path / "seven.png"


def test_the_wheel_holds_the_package_alone(wheel, tmp_path):
    """No top-level `stages`; the templates and pages are in it, and it imports from elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    site = tmp_path / "site"
    program = "import digits.cli.main, sys; sys.exit('stages' in sys.modules)"
    environment = {"PYTHONPATH": str(site)}

    assert {path.name for path in site.iterdir() if "dist-info" not in path.name} == {"digits"}
    assert files_of(site / "digits") == files_of(ROOT / "digits")
    subprocess.run([sys.executable, "-P", "-c", program], cwd=site, check=True, env=environment)


@pytest.mark.timeout(600)
def test_each_extra_does_what_it_promises(wheel, environment, image, filled, empty_store, tmp_path):
    """Alone it reads and serves a folder; with [registry] it pulls, from a file and a server."""
    folder, model = tmp_path / "empty", filled / "model-2"
    folder.mkdir()
    start = time.monotonic()
    assert environment.install("requirements-base.lock", wheel) < 430
    assert time.monotonic() - start < 90
    read = environment.run(folder, "predict", "--model", model, image, PYTHONPROFILEIMPORTTIME="1")
    assert read.returncode == 0, read.stderr
    assert "seven.png" in read.stdout
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in read.stderr.split("\n")
    }
    assert "onnxruntime" in imported
    assert imported & HEAVY == set()
    assert not (environment.home / ".cache/Microsoft").exists()  # ONNX Runtime's telemetry
    with served(folder, "--model", str(model), python=environment.python) as (_, address):
        assert request(address, "POST", "/predict", image.read_bytes())[0] == 200
    store = f"sqlite:///{filled}/mlflow.db"
    refused = environment.run(folder, "versions", MLFLOW_TRACKING_URI=store)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "install digits[registry]" in refused.stderr

    assert environment.install("requirements-registry.lock", wheel) < 560
    server = Server(shutil.copytree(filled, tmp_path / "team"), empty_store)
    shutil.copy(filled / "mlflow.db", server.folder)
    server.start()
    try:
        for uri in (f"sqlite:///{server.folder}/mlflow.db", server.uri):
            shutil.rmtree(environment.home, ignore_errors=True)
            variables = {"MLFLOW_TRACKING_URI": uri}
            listed = environment.run(folder, "versions", "--json", **variables)
            assert [v["aliases"] for v in json.loads(listed.stdout)] == [["champion"], []]
            pulled = environment.run(folder, "pull", "champion", **variables)
            assert pulled.returncode == 0, pulled.stderr
            assert files_of(folder / "models/pulled/digits-2") == files_of(model)
    finally:
        server.kill()


def test_too_little_disk_is_said_before_anything_is_downloaded(tmp_path):
    """`make repro` names what it needs and what there is, and leaves nothing behind."""
    with mounted(tmp_path / "disk", "size=9m") as disk:
        names = ["Makefile", "pyproject.toml", "requirements.lock"]
        for name in names:
            shutil.copy(ROOT / name, disk)
        done = call(disk, "make", "repro", check=False)

        assert done.returncode == 2
        assert "7500 MB of disk" in done.stdout
        assert "make room, or clone to another disk" in done.stdout
        assert sorted(path.name for path in disk.iterdir()) == names


def test_a_moved_checkout_works_and_a_copy_runs_its_own_code(tmp_path, monkeypatch):
    """No file in .venv names the first folder, and no command of one works on the other."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    first = tmp_path / "first"
    shutil.copytree(ROOT / "digits", first / "digits", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", "dvc.yaml"):
        shutil.copy(ROOT / name, first)
    lock = re.split(r"^(?=\S)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    needed = ("click==", "setuptools==")
    (first / "requirements.lock").write_text("".join(e for e in lock if e.startswith(needed)))
    call(first, "make", ".venv/.installed")
    copy = shutil.copytree(first, tmp_path / "a copy", symlinks=True)
    second = first.rename(tmp_path / "second")

    tell = "digits --version; pip --version; python -c 'import digits; print(digits.__file__)'"
    for folder in (second, copy):
        told = call("/", "bash", "-ec", f". '{folder}/.venv/bin/activate'; {tell}").stdout.split(
            "\n"
        )
        assert told[0] == f"digits {importlib.metadata.version('digits')}"
        assert f" from {folder}/.venv/" in told[1]
        assert told[2] == str(folder / "digits/__init__.py")
    refused = call(copy, second / ".venv/bin/digits", "versions", check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"this command is of {second}, and " in refused.stderr
    names = call(tmp_path, "grep", "-rIlF", "--exclude=direct_url.json", first, ".", check=False)
    assert names.stdout == ""


def files_of(folder):
    """Every file below `folder`, relative to it, without compiled ones."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in files if "__pycache__" not in path.parts}
