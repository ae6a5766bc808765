"""A worker process: its application, and the switch to a new model between two requests.

`digits.service.registry_watcher` writes the state file that this module follows.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
from prometheus_client import multiprocess

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.service import json_logs, prometheus_metrics
from digits.service.admission_limits import WorkerSettings
from digits.service.app import create_app
from digits.service.middleware import RequestMiddleware
from digits.service.served_model import ModelHolder, ServedModel, load_served_model

POLL_SECONDS = 0.1  # between two checks of the state file


def create_worker_app(settings: WorkerSettings) -> RequestMiddleware:
    """Set up this worker process; return its application."""
    if sys.platform != "win32":
        os.setpgid(0, 0)  # so that Ctrl-C reaches the parent only
    _remove_dead_gauges()
    holder = ModelHolder(load_from_state(settings.state))
    _announce_model(holder.served)
    threading.Thread(target=_follow_state, args=(settings, holder), daemon=True).start()
    return create_app(holder, settings)


def load_from_state(path: Path) -> ServedModel:
    """Load the model that the state file names, and run it once.

    Raises UserError when its files differ from those that were checked.
    """
    state = atomic_files.read_json(path)
    folder, content = Path(state.pop("folder")), state.pop("content")
    served = load_served_model(folder, **state)
    if served.content_sha256 != content:
        raise UserError(f"{folder} has changed since it was checked; fetch the model again")
    return served


def _follow_state(settings: WorkerSettings, holder: ModelHolder) -> None:
    """Load each new model; end this process when the service ends or the parent is gone."""
    parent = multiprocessing.parent_process()
    loaded = settings.state.stat().st_mtime_ns
    while parent is not None and parent.is_alive() and not settings.stop_file.exists():
        time.sleep(POLL_SECONDS)
        if (written := settings.state.stat().st_mtime_ns) != loaded:
            loaded = written
            swap_model(settings.state, holder)
    holder.drain(settings.limits.linger_seconds + 1)
    time.sleep(settings.limits.linger_seconds + 1)
    os.kill(os.getpid(), signal.SIGTERM)  # the parent's signal is lost if it comes during startup


def swap_model(state: Path, holder: ModelHolder) -> None:
    """Replace the served model; if the new one cannot be loaded, log why and keep the old one."""
    try:
        served = load_from_state(state)
    except Exception as error:  # whatever is wrong with a new model, the old one still answers
        prometheus_metrics.SWAPS.labels("refused").inc()
        json_logs.log_event(event="model refused", level="error", reason=str(error))
        return
    prometheus_metrics.MODEL.labels(**holder.served.identity).set(0)
    holder.served = served
    _announce_model(served)


def _announce_model(served: ServedModel) -> None:
    """Record in metrics and log which model answers from now on."""
    prometheus_metrics.MODEL.labels(**served.identity).set(1)
    prometheus_metrics.SWAPS.labels("taken").inc()
    json_logs.log_event(event="model taken up", **served.identity)


def _remove_dead_gauges() -> None:
    """Remove the gauges of dead workers from the sums."""
    for file in Path(os.environ.get(prometheus_metrics.FOLDER, "/nowhere")).glob("gauge_live*.db"):
        number = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(number):
            multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]
