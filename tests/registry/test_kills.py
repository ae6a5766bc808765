"""After a kill at any write, rename or commit, the same command ends as if undisturbed.

A sample of the moments; `python -m tests.bench.bench_kills` tries all of them.
"""

import os
import random
import shutil
from contextlib import chdir

import pytest

from digits.registry import alias_moves, registration
from digits.registry.alias_log import LOG_FILE
from digits.registry.model_version import REMOVED_TAG
from digits.tracking import tracking_store
from tests import processes
from tests.stores import NOBODY

# Kills itself before its step number N: what opens, renames or removes a file, and each commit.
KILLED = """
import importlib, os, sys
from sqlalchemy import Engine, event
last, steps = int(sys.argv[1]), 0
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}
def step(*_):
    global steps
    steps += 1
    if steps == last:
        os.kill(os.getpid(), 9)
def audit(name, arguments):
    is_written = name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if name in CHANGES or (is_written and not str(arguments[0]).startswith("/dev/")):
        step()
sys.addaudithook(audit)
event.listen(Engine, "commit", step)
words = sys.argv[2:]
try:
    if words == ["register"]:
        stage = importlib.import_module("stages.register")
        importlib.import_module("digits.project.stage").main(stage.register)
    importlib.import_module("digits.cli.main").main(words)
finally:
    print("steps", steps)
"""
COMMANDS = {
    "register": "register",
    "promote": "promote 1 --reason x",
    "rollback": "rollback --reason x",
    "prune": "prune --keep 0 --yes",
    "pull": "pull champion",
    "send": "send",
}
SAMPLE = int(os.environ.get("DIGITS_KILLS", "1"))  # moments for each command


@pytest.fixture
def checkout(enter, workspace, variants, once):
    """Two former and present champions, and two others; `same` is trained and not registered."""

    def fill(folder):
        for variant in ("poor", "good", "blind", "loud"):
            enter(variant)
        (workspace / ".dvc").mkdir()
        shutil.copytree(variants["same"], workspace / "models/digits")
        shutil.copytree(workspace, folder)

    return once("kills", fill)


def state(folder):
    """What a person finds in a checkout: versions, aliases, log, files, and what waits."""
    with chdir(folder):
        uri = f"sqlite:///{folder}/{'team.db' if (folder / 'team.db').exists() else 'mlflow.db'}"
        store = tracking_store.TrackingStore(uri, embedded=False)
        found = alias_moves.alias_state(store, "digits")
        versions = registration.list_versions(store, "digits")
        entries = [(e.action, dict(e.moves), e.removes) for e in found.log.entries]
        lines = (folder / LOG_FILE).read_text().splitlines()
        return {
            "versions": [(v.number, v.content_sha256, REMOVED_TAG in v.tags) for v in versions],
            "aliases": dict(found.aliases),
            "entries": entries,
            "lines": len(lines),
            "wrong": [*found.log.problems, *found.disagreements],
            "waiting": sorted(p.name for p in (folder / ".state/runs").rglob("journal*")),
            "pulled": sorted(p.name for p in (folder / "models").rglob("model.onnx")),
        }


def run(folder, last, command):
    """The command in a process that ends before step `last`, 0 for never."""
    team = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/team.db"} if command == "send" else {}
    place = {"folder": folder, "environment": os.environ | team}
    return processes.run(KILLED, last, *command.split(), **place)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_command_mends_a_kill_at_any_moment(checkout, tmp_path_factory, command):
    """Versions, aliases, log and files are those of an undisturbed run; nothing is there twice."""
    scratch = tmp_path_factory.mktemp("kills")
    origin = shutil.copytree(checkout, scratch / "origin")
    if command == "send":
        away = os.environ | {"MLFLOW_TRACKING_URI": NOBODY}
        assert processes.run("register", folder=origin, environment=away).returncode == 0
        shutil.copy(origin / "mlflow.db", origin / "team.db")
    undisturbed = shutil.copytree(origin, scratch / "undisturbed")
    done = run(undisturbed, 0, COMMANDS[command])
    assert done.returncode == 0, done.stderr
    expected, steps = state(undisturbed), int(done.stdout.rpartition("steps")[2])

    wrong = {}
    moments = random.Random(0).sample(range(1, steps + 1), min(SAMPLE, steps))
    for moment in sorted(moments):
        folder = shutil.copytree(origin, scratch / f"killed-{moment}")
        run(folder, moment, COMMANDS[command])
        again = run(folder, 0, COMMANDS[command])
        assert "Traceback" not in again.stderr, (moment, again.stderr)
        if state(folder) != expected:
            wrong[moment] = again.stdout + again.stderr, state(folder)
        shutil.rmtree(folder)
    print(f"{command}: {len(moments)} of {steps} moments, {len(wrong)} wrong: {wrong}")
    assert not wrong, expected
