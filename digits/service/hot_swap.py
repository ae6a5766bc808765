"""One process that answers: its application, and the model that it takes up between requests."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import multiprocess

from digits.project import atomic_files
from digits.project.errors import UserError
from digits.service import json_logs, prometheus_metrics
from digits.service.admission_limits import WorkerSettings
from digits.service.app import create_app
from digits.service.middleware import RequestMiddleware
from digits.service.served_model import ModelHolder, ServedModel, load_served_model

POLL_SECONDS = 0.1  # between two looks at files


def create_worker_app(plan: WorkerSettings) -> RequestMiddleware:
    """What this worker answers with, from the model that the file of `plan` names."""
    os.setpgid(0, 0)  # Ctrl-C is for the parent
    _forget_dead()
    holder = ModelHolder(load_from_state(plan.state))
    _announce_model(holder.served)
    threading.Thread(target=_watch, args=(plan, holder), daemon=True).start()
    return create_app(holder, plan.feedback, plan.guard, plan.limits)


def load_from_state(state: Path) -> ServedModel:
    """The model of the file, loaded and warmed. Raises UserError when it is not as told."""
    told: dict[str, Any] = atomic_files.read_json(state)
    served = load_served_model(Path(told["folder"]), told["name"], told["version"], told["about"])
    if served.content_sha256 != told["content"]:
        raise UserError(f"{told['folder']} was changed since it was checked; get the model anew")
    return served


def _watch(plan: WorkerSettings, holder: ModelHolder) -> None:
    """Follow the file that names the model; end when the service ends or the parent is gone."""
    parent = multiprocessing.parent_process()
    seen = plan.state.stat().st_mtime_ns
    while parent is not None and parent.is_alive() and not plan.leaving.exists():
        time.sleep(POLL_SECONDS)
        changed = plan.state.stat().st_mtime_ns
        if changed != seen:
            seen = changed
            swap_model(plan.state, holder)
    holder.drain(plan.limits.linger_seconds + 1)
    time.sleep(plan.limits.linger_seconds + 1)
    os.kill(os.getpid(), signal.SIGTERM)  # the parent's is lost when it comes during the start


def swap_model(state: Path, holder: ModelHolder) -> None:
    """Replace the model, or tell why the one before stays."""
    try:
        served = load_from_state(state)
    except Exception as error:  # whatever is wrong with a new model, the old one answers
        prometheus_metrics.SWAPS.labels("refused").inc()
        json_logs.log_event(event="model refused", level="error", reason=str(error))
        return
    prometheus_metrics.MODEL.labels(**holder.served.identity).set(0)
    holder.served = served
    _announce_model(served)


def _announce_model(served: ServedModel) -> None:
    """Say which model answers from now on."""
    prometheus_metrics.MODEL.labels(**served.identity).set(1)
    prometheus_metrics.SWAPS.labels("taken").inc()
    json_logs.log_event(event="model taken up", **served.identity)


def _forget_dead() -> None:
    """Take the gauges of workers that died out of the sums."""
    for file in Path(os.environ.get(prometheus_metrics.FOLDER, "/nowhere")).glob("gauge_live*.db"):
        number = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(number):
            multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]
