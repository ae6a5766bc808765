"""What workers and bookkeeping cost in a study on this machine.

    python -m tests.bench.bench_tune

The same trials of the network in params.yaml, by one worker with one thread, by one with all
threads and by as many workers as cores with one thread each: trials per minute, from the first
trial's begin to the last one's end. And how much longer a trial is than its training, for
Optuna's storage, MLflow and checkpoints together, and for MLflow alone: what it is told of a
trial, told again. Needs `data/splits`. Five minutes on two cores.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import yaml
from optuna.trial import TrialState

from digits.project import atomic_files, params_file
from digits.project.errors import UserError
from digits.tracking import nested_runs
from digits.tuning import study_storage
from digits.tuning.study import stored

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


def project(folder, threads):
    """A copy of the project that can tune, with a short search."""
    if not (ROOT / "data/splits/train.npz").is_file():
        raise UserError("no data/splits/train.npz; run `dvc repro split`")
    values = params_file.read_yaml(ROOT / "params.yaml")
    values["tune"] |= SEARCH
    values["train"] |= {"epochs": EPOCHS, "threads": threads}
    atomic_files.write_bytes(folder / "params.yaml", yaml.safe_dump(values).encode())
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "data").mkdir()
    (folder / "data/splits").symlink_to(ROOT / "data/splits")


def trials(workers, threads):
    """The finished trials of a search by `workers` with `threads` together; MLflow's seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        project(folder, threads)
        command = [sys.executable, "-m", "digits.cli", "tune", "--workers", str(workers)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)
        tune = params_file.load_params(folder / "params.yaml").tune
        url = study_storage.storage_url(None, f"sqlite:///{folder}/.state/tune.db")
        study = optuna.load_study(study_name=tune.study, storage=study_storage.connect_storage(url))
        done = study.get_trials(states=[TrialState.COMPLETE])
        return done, told_again(folder, done)


def told_again(folder, done):
    """The median of the seconds that telling MLflow of each of the trials `done` takes."""
    row = {"learning_rate": 0.1, "train_loss": 0.1, "seconds": 0.1}
    rows = [(e, row | {"validation_loss": 0.1, "validation_accuracy": 0.9}) for e in range(EPOCHS)]
    seconds = []
    with contextlib.chdir(folder):
        for trial in done:
            start = time.perf_counter()
            run = nested_runs.start_trial_run(None, "again", None, stored(trial, "setting"))
            run.log_history(rows)
            run.set_tags({"trial.state": "finished", "trial.number": str(trial.number)})
            run.end("FINISHED", "time/training", 1.0)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    """Print all."""
    cores = len(os.sched_getaffinity(0))
    paces = []
    for workers, threads in ((1, 1), (1, cores), (cores, cores)):
        done, told = trials(workers, threads)
        span = max(t.datetime_complete for t in done) - min(t.datetime_start for t in done)
        training = sum(stored(t, "result")["seconds"] for t in done)
        whole = sum(t.duration.total_seconds() for t in done)
        paces.append(60 * len(done) / span.total_seconds())
        print(f"{workers} worker(s), {threads // workers} thread(s) each: ", end="")
        print(
            f"{paces[-1]:.1f} trials of {EPOCHS} epochs per minute, {whole / len(done):.1f} s each"
        )
        print(f"  besides training {whole / training - 1:.1%} more, ", end="")
        print(f"MLflow alone {told * len(done) / training:.1%}")
    print(
        f"{cores} workers finish {paces[2] / paces[0]:.2f} x as many trials as one with one thread"
    )
    print(f"and {paces[2] / paces[1]:.2f} x as many as one with {cores} threads")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
