"""The runs of training and of what adds to it later.

with training_run("mlp", resume=None, params=..., inputs=..., code=...) as run:
    run.log_epoch(1, {"validation_accuracy": 0.98})
    run.log_model(Path("models"), example)
with resume_run(run_id) as run:
    run.log_metrics({"test_accuracy": 0.98})
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import files
from stages.lib.errors import UserError
from stages.lib.tracking import address, find, journal, lineage, logged_model, record, store
from stages.lib.tracking.journal import Journal
from stages.lib.tracking.record import Point
from stages.lib.tracking.store import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Run:
    """An open run. No method raises because of tracking: see `journal`."""

    def __init__(self, entries: Journal) -> None:
        self._journal = entries
        # The same number told again, of an epoch and then of the model, is one point.
        self._points: dict[tuple[str, float, int], Point] = {}

    @property
    def id(self) -> str:
        """The run's id; another one after an outage, so ask at the end."""
        return self._journal.target.run_id

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """The numbers of one epoch, in one call."""
        self._log_metrics(values, epoch, of_model=False)

    def log_history(self, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """The numbers of several epochs, in one call."""
        moment = record.now()
        points = [Point(k, float(v), step, moment) for step, row in epochs for k, v in row.items()]
        self._journal.add(lambda target: record.metrics(target, points))

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers about the finished model: they go to the run and to its logged model."""
        self._log_metrics(values, step, of_model=True)

    def _log_metrics(self, values: Mapping[str, float], step: int, *, of_model: bool) -> None:
        moment = record.now()
        points = [
            self._points.setdefault(
                (key, float(value), step), Point(key, float(value), step, moment)
            )
            for key, value in values.items()
        ]

        def entry(target: Target) -> None:
            model = logged_model.of_run(target) if of_model else None
            record.metrics(target, points, model)

        self._journal.add(entry)

    def log_inputs(self, pictures: Mapping[str, int]) -> None:
        """The files of pictures that the run reads, and how many pictures each has."""
        read = [record.Pictures.of(Path(path), n) for path, n in pictures.items()]
        self._journal.add(lambda target: record.inputs(target, read))

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
        self._journal.add(lambda target: logged_model.log(target, folder, example, step))
        if metrics:
            self.log_metrics(metrics, step)

    def log_files(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Files or folders to keep with the run; they must stay until it ends."""

        def entry(target: Target) -> None:
            for path in paths:
                target.store.client.log_artifact(target.run_id, str(path), folder)

        self._journal.add(entry)

    def log_text(self, name: str, text: str) -> None:
        """A text to keep with the run as file `name`."""
        self._journal.add(lambda target: record.text(target, name, text))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags of the run."""
        fixed = dict(tags)
        self._journal.add(lambda target: record.tags(target, fixed))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Parameters, nested ones under dotted names."""
        flat = lineage.flatten(params)
        self._journal.add(lambda target: record.params(target, flat))

    def end(self, status: str, clock: str, seconds: float) -> None:
        """Close the run; the context managers below do it."""
        moment = record.now()
        self._journal.add(lambda target: record.end(target, status, moment, clock, seconds))
        self._journal.close()


@contextmanager
def training_run(
    name: str,
    *,
    resume: str | None,
    params: Mapping[str, object],
    inputs: Mapping[str, str],
    code: Mapping[str, str],
    threads: int | None = None,
    activity: str = "training",
) -> Iterator[Run]:
    """Open the run of a training; `resume` is the id of the one that was interrupted.

    Ends FINISHED, KILLED after Ctrl-C or SIGTERM, FAILED after any other exception.
    """
    target = _opened(lambda: _resumed(resume, name) if resume else _new(name), name)
    with _closing(Run(Journal(target, name)), activity) as run:
        _log_lineage(run, params, inputs, code, threads)
        yield run


@contextmanager
def resume_run(run_id: str, activity: str = "evaluation") -> Iterator[Run]:
    """Open an ended run again to add to it; it takes the status of this addition.

    When no store that answers has the run, a local one that continues it is opened.
    """
    target = _opened(lambda: _resumed(run_id, None), None)
    with _closing(Run(Journal(target, None)), activity) as run:
        yield run


def _opened(opening: Callable[[], Target], name: str | None) -> Target:
    """The run that `opening` gives; a local one when the server fails just then."""
    try:
        return opening()
    except UserError:
        raise
    except Exception as error:  # tracking is no reason not to work
        address.warn(f"the tracking server failed ({address.reason(error)}); the run is kept here")
        return journal.create(store.embedded(), name)


def _new(name: str) -> Target:
    where = store.connect()
    find.sweep(where)
    return journal.create(where, name)


def _resumed(run_id: str, name: str | None) -> Target:
    found = find.run(run_id)
    if found is not None:
        return journal.reopen(found)
    address.warn(f"run {run_id} is in no store that answers; a new run continues it")
    return journal.continuation(run_id, name)


@contextmanager
def _closing(run: Run, activity: str) -> Iterator[Run]:
    started = time.monotonic()
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except BaseException as error:
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
        status = "KILLED" if stopped else "FAILED"
        run.set_tags({"error": address.reason(error)})
        raise
    finally:
        run.end(status, f"{activity}_seconds", time.monotonic() - started)


def _log_lineage(
    run: Run,
    params: Mapping[str, object],
    inputs: Mapping[str, str],
    code: Mapping[str, str],
    threads: int | None,
) -> None:
    state = lineage.source(files.workspace())
    hashes = {f"input.{path}": digest for path, digest in inputs.items()}
    hashes["code.sha256"] = files.digest(dict(code))
    run.set_tags(state.tags | hashes | lineage.environment(threads) | lineage.dvc())
    run.log_params(params)
    if state.diff:
        run.log_text("source.diff", state.diff)
    lists = {"inputs": dict(inputs), "code": dict(code)}
    run.log_text("lineage.json", json.dumps(lists, indent=2, sort_keys=True))
    run.log_text("packages.txt", lineage.packages())
