"""The runs of training and of what adds to it later.

with training_run("mlp", resume=None, params=..., inputs=..., code=...) as run:
    run.log_epoch(1, {"validation_accuracy": 0.98})
    run.log_model(Path("models"), example)
with resume_run(run_id) as run:
    run.log_metrics({"test_accuracy": 0.98})
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.project import hashing, workspace
from digits.tracking import journal_folders, logged_model, run_context, run_writer, store_uri
from digits.tracking.journal import Journal
from digits.tracking.run_writer import Point

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TrackedRun:
    """An open run. No method raises because of tracking: see `journal`."""

    def __init__(self, entries: Journal, *, resumed: bool) -> None:
        """Of a run that is `resumed`, a kill may have come after a number was logged."""
        self._journal, self._resumed = entries, resumed
        self._repeats = resumed  # whether the next epochs may be told already
        # The same number told again, of an epoch and then of the model, is one point.
        self._points: dict[tuple[str, float, int], Point] = {}

    @property
    def id(self) -> str:
        """The run's id in its store, or here when the store did not answer at its start."""
        return self._journal.run_id

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """The numbers of one epoch, in one call."""
        self.log_history([(epoch, values)])

    def log_history(self, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """The numbers of several epochs, in one call."""
        points = [point for step, values in epochs for point in self._pointed(values, step)]
        self._journal.add("metrics", points=points, resumed=self._repeats)
        self._repeats = False

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers about the finished model: they go to the run and to its logged model."""
        points, resumed = self._pointed(values, step), self._resumed
        self._journal.add("metrics", points=points, of_model=True, resumed=resumed)

    def _pointed(self, values: Mapping[str, float], step: int) -> list[Point]:
        moment = run_writer.now_ms()
        return [
            self._points.setdefault((key, float(value), step), (key, float(value), step, moment))
            for key, value in values.items()
        ]

    def log_inputs(self, pictures: Mapping[str, int]) -> None:
        """The files of pictures that the run reads, and how many pictures each has."""
        read = [(path, n, hashing.file_sha256(Path(path))) for path, n in pictures.items()]
        self._journal.add("inputs", pictures=read)

    def log_model(
        self,
        folder: Path,
        example: "NDArray[Any]",
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> None:
        """The model in `folder`: model.onnx and the files beside it.

        `example` is a batch of two or more inputs; `metrics` are numbers of this model, of
        the epoch `step` whose weights it has.
        """
        digest = hashing.file_sha256(folder / logged_model.ONNX_FILE)
        keep = partial(logged_model.pack_model, folder, example=example)
        self._journal.add("model", keep, digest=digest, step=step)
        if metrics:
            self.log_metrics(metrics, step)

    def log_files(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Files to keep with the run."""

        def keep(kept: Path) -> None:
            for path in paths:
                shutil.copy(path, kept)

        self._journal.add("artifacts", keep, folder=folder)

    def log_text(self, name: str, text: str) -> None:
        """A text to keep with the run as file `name`."""
        self._journal.add("artifacts", lambda kept: (kept / name).write_text(text, "utf-8"))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags of the run."""
        self._journal.add("tags", values=dict(tags))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Parameters, nested ones under dotted names."""
        self._journal.add("params", values=run_context.flatten_params(params))

    def end(self, status: str, clock: str, seconds: float) -> None:
        """Close the run; the context managers below do it."""
        self._journal.end(status=status, moment=run_writer.now_ms(), clock=clock, seconds=seconds)


@contextmanager
def tracked_run(
    name: str,
    *,
    resume: str | None,
    params: Mapping[str, object],
    inputs: Mapping[str, str],
    code: Mapping[str, str],
    activity: str = "training",
) -> Iterator[TrackedRun]:
    """Open the run of a training; `resume` is the id of the one that was interrupted.

    Ends FINISHED, KILLED after Ctrl-C or SIGTERM, FAILED after any other exception.
    """
    journal_folders.close_dead_runs()
    entries = (
        journal_folders.reopen_journal(resume, name=name)
        if resume
        else journal_folders.start_journal(name, {})
    )
    with _closing(TrackedRun(entries, resumed=resume is not None), activity) as run:
        _log_lineage(run, params, inputs, code)
        yield run


@contextmanager
def reopen_run(run_id: str) -> Iterator[TrackedRun]:
    """Open an ended run again to add to it; it takes the status of this addition.

    One that no store has, not even one of another name, is made anew.
    """
    with _closing(
        TrackedRun(journal_folders.reopen_journal(run_id), resumed=False), "evaluation"
    ) as run:
        yield run


@contextmanager
def _closing(run: TrackedRun, activity: str) -> Iterator[TrackedRun]:
    started = time.monotonic()
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except BaseException as error:
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
        status = "KILLED" if stopped else "FAILED"
        run.set_tags({"error": store_uri.describe_error(error)})
        raise
    finally:
        run.end(status, f"{activity}_seconds", time.monotonic() - started)


def _log_lineage(
    run: TrackedRun,
    params: Mapping[str, object],
    inputs: Mapping[str, str],
    code: Mapping[str, str],
) -> None:
    tags, diff = run_context.git_state(workspace.checkout_root())
    hashes = {f"input.{path}": digest for path, digest in inputs.items()}
    hashes["code.sha256"] = hashing.json_sha256(dict(code))
    run.set_tags(tags | hashes | run_context.environment_tags() | run_context.dvc_tags())
    run.log_params(params)
    if diff:
        run.log_text("source.diff", diff)
    lists = {"inputs": dict(inputs), "code": dict(code)}
    run.log_text("lineage.json", json.dumps(lists, indent=2, sort_keys=True))
    packages = [
        f"{name}=={version}\n" for name, version in run_context.installed_packages().items()
    ]
    run.log_text("packages.txt", "".join(packages))
