"""What workers and bookkeeping cost in a study on this machine.

    python -m tests.bench.bench_tune

The same trials of the network in params.yaml, by one worker with all threads and by as many
workers as cores with one thread each: trials per minute, from the first trial's begin to the
last one's end. And how much longer a trial is than its training: drawing, loading nothing,
Optuna's storage, MLflow, checkpoints. Needs `data/splits`. Five minutes on two cores.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
import yaml
from optuna.trial import TrialState

from stages.lib import files, params
from stages.lib.errors import UserError
from stages.tuning import storage

ROOT = Path(__file__).parents[2]
TRIALS = 8
SEARCH = {
    "trials": TRIALS,
    "pruner": "none",  # else the two would not do the same
    "sampler": "random",
    "confirm": 1,
    "finalists": 1,
    "space": {"train.learning_rate": {"low": 0.002, "high": 0.03, "log": True}},
}
EPOCHS = 4


def project(folder, cores):
    """A copy of the project that can tune, with a short search."""
    if not (ROOT / "data/splits/train.npz").is_file():
        raise UserError("no data/splits/train.npz; run `dvc repro split`")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["tune"] |= SEARCH
    values["train"] |= {"epochs": EPOCHS, "threads": cores}
    files.write_bytes(folder / "params.yaml", yaml.safe_dump(values).encode())
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "data").mkdir()
    (folder / "data/splits").symlink_to(ROOT / "data/splits")


def trials(workers, cores):
    """The finished trials of a search by `workers`."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project(folder, cores)
        command = [sys.executable, "-m", "stages.cli", "tune", "--workers", str(workers)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)
        tune = params.load(folder / "params.yaml").tune
        url = storage.address(None, f"sqlite:///{folder}/.state/tune.db")
        study = optuna.load_study(study_name=tune.study, storage=storage.connect(url))
        return study.get_trials(states=[TrialState.COMPLETE])


def main():
    """Print both."""
    cores = len(os.sched_getaffinity(0))
    paces = {}
    for workers in (1, cores):
        done = trials(workers, cores)
        span = max(t.datetime_complete for t in done) - min(t.datetime_start for t in done)
        training = sum(t.user_attrs["result"]["seconds"] for t in done)
        whole = sum(t.duration.total_seconds() for t in done)
        paces[workers] = 60 * len(done) / span.total_seconds()
        print(f"{workers} worker(s), {cores // workers} thread(s) each: ", end="")
        print(f"{paces[workers]:.1f} trials of {EPOCHS} epochs per minute, ", end="")
        print(f"{whole / len(done):.1f} s each, {whole / training - 1:.1%} of it besides training")
    print(f"{paces[cores] / paces[1]:.2f} x as many trials per minute with {cores} workers")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
