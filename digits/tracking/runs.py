"""The runs of training, of evaluation, and of whatever adds to a run later.

with tracked_run("mlp", resume=None, params=..., inputs=..., code=...) as run:
    run.log_epoch(1, {"validation/accuracy": 0.98})
    run.log_model(Path("models"), example)
with reopen_run(run_id) as run:
    run.log_metrics({"test/accuracy": 0.98})
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from digits.project import hashing, workspace
from digits.tracking import (
    journal_folders,
    logged_model,
    run_context,
    run_summary,
    run_writer,
    store_uri,
)
from digits.tracking.journal import Journal
from digits.tracking.run_writer import Point

Metrics = Mapping[str, float]
Params = Mapping[str, object]
Hashes = Mapping[str, str]  # SHA-256 of each file, by its path


class TrackedRun:
    """An open run. No method raises because of tracking: see `journal`."""

    def __init__(self, journal: Journal, *, resumed: bool) -> None:
        """A `resumed` run may already have the points that are logged next."""
        self.id = journal.run_id  # in its store, or here if the store did not answer at its start
        self._journal, self._resumed = journal, resumed
        self._may_repeat = resumed  # whether the next epochs may be in the run already
        # A number that is logged for an epoch and again for the model is one point.
        self._points: dict[tuple[str, float, int], Point] = {}

    def log_epoch(self, epoch: int, values: Metrics) -> None:
        """Log the numbers of one epoch, in one call."""
        self.log_history([(epoch, values)])

    def log_history(self, epochs: Sequence[tuple[int, Metrics]]) -> None:
        """Log the numbers of several epochs, in one call."""
        points = [point for step, values in epochs for point in self._timed_points(values, step)]
        self._journal.add("metrics", points=points, resumed=self._may_repeat)
        self._may_repeat = False

    def log_metrics(self, values: Metrics, step: int = 0) -> None:
        """Log numbers of the finished model, for the run and for its logged model."""
        points = self._timed_points(values, step)
        self._journal.add("metrics", points=points, of_model=True, resumed=self._resumed)

    def _timed_points(self, values: Metrics, step: int) -> list[Point]:
        moment, keys = run_writer.unix_ms(), [(k, float(v), step) for k, v in values.items()]
        return [self._points.setdefault(key, (*key, moment)) for key in keys]

    def log_inputs(self, counts: Mapping[str, int]) -> None:
        """Log the files that the run reads; `counts` has the number of images in each."""
        files = [(path, n, hashing.file_sha256(Path(path))) for path, n in counts.items()]
        self._journal.add("inputs", pictures=files)

    def log_model(
        self, folder: Path, example: NDArray[Any], metrics: Metrics | None = None, step: int = 0
    ) -> None:
        """Log the model in `folder`: model.onnx and the files beside it.

        `example` is a batch of two or more inputs; `metrics` are numbers of this model, of
        the epoch `step` whose weights it has.
        """
        digest = hashing.file_sha256(folder / logged_model.ONNX_FILE)
        pack = partial(logged_model.pack_model, folder, example=example)
        self._journal.add("model", pack, digest=digest, step=step)
        if metrics:
            self.log_metrics(metrics, step)

    def log_files(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Log files, into `folder` of the run's artifacts."""

        def copy(destination: Path) -> None:
            for path in paths:
                shutil.copy(path, destination)

        self._journal.add("artifacts", copy, folder=folder)

    def log_text(self, name: str, text: str) -> None:
        """Log a text as the file `name`."""
        self._journal.add("artifacts", lambda files: (files / name).write_text(text, "utf-8"))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        self._journal.add("tags", values=dict(tags))

    def describe(self, title: str, text: str) -> None:
        """Write the paragraph `title` of the run's description, in Markdown."""
        self._journal.add("description", title=title, text=text)

    def log_params(self, params: Params) -> None:
        """Log parameters, nested ones under dotted names."""
        self._journal.add("params", values=run_context.flatten_params(params))

    def end(self, status: str, clock: str, seconds: float) -> None:
        """Close the run; the context managers below call it."""
        self._journal.end(status=status, moment=run_writer.unix_ms(), clock=clock, seconds=seconds)


def open_run(name: str, resume: str | None, tags: Mapping[str, str]) -> TrackedRun:
    """Open a new run, or the run with the id `resume`."""
    return TrackedRun(journal_folders.start_journal(name, tags, resume), resumed=resume is not None)


@contextmanager
def tracked_run(
    name: str,
    *,
    resume: str | None,
    params: Params,
    inputs: Hashes,
    code: Hashes,
    activity: str = "training",
) -> Iterator[TrackedRun]:
    """Open the run of a training; `resume` is the id of an interrupted run to continue.

    Ends FINISHED, KILLED after Ctrl-C or SIGTERM, FAILED after any other exception.
    """
    journal_folders.close_dead_runs()
    tags: dict[str, str] = {}
    if activity == "training":
        tags = run_summary.summary_tags(workspace.checkout_root(), params)
        tags[run_summary.GATE_TAG] = run_summary.NOT_REGISTERED
    with _ended(open_run(name, resume, tags), activity) as run:
        _log_lineage(run, params, inputs, code)
        yield run


@contextmanager
def reopen_run(run_id: str) -> Iterator[TrackedRun]:
    """Open an ended run again to add to it; it takes the status of this addition.

    A run that no store has, not even under another id, is created.
    """
    run = TrackedRun(journal_folders.reopen_journal(run_id), resumed=False)
    with _ended(run, "evaluation"):
        yield run


@contextmanager
def _ended(run: TrackedRun, activity: str) -> Iterator[TrackedRun]:
    """End `run` when the body ends, with a status that says how."""
    started, status = time.monotonic(), "FAILED"
    try:
        yield run
        status = "FINISHED"
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            status = "KILLED"
        run.set_tags({"error": store_uri.describe_error(error)})
        raise
    finally:
        run.end(status, f"time/{activity}", time.monotonic() - started)


def _log_lineage(run: TrackedRun, params: Params, inputs: Hashes, code: Hashes) -> None:
    tags, diff = run_context.git_state(workspace.checkout_root())
    hashes = {f"{run_context.INPUT_TAG}{path}": digest for path, digest in inputs.items()}
    hashes["code.sha256"] = hashing.json_sha256(dict(code))
    tags |= hashes | run_context.environment_tags() | run_context.dvc_tags()
    run.set_tags(run_context.fold_tags(tags))
    run.log_params(params)
    if diff:
        run.log_text("source.diff", diff)
    lists = {"inputs": dict(inputs), "code": dict(code)}
    run.log_text("lineage.json", json.dumps(lists, indent=2, sort_keys=True))
    packages = run_context.installed_packages().items()
    run.log_text("packages.txt", "".join(f"{name}=={version}\n" for name, version in packages))
