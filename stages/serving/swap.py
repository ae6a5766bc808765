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

from stages.lib import files
from stages.lib.errors import UserError
from stages.serving import logs, metrics
from stages.serving.app import create_app
from stages.serving.front import Front
from stages.serving.served import Holder, Served, load
from stages.serving.server import Plan

SECONDS = 0.1  # between two looks at files


def application(plan: Plan) -> Front:
    """What this worker answers with, from the model that the file of `plan` names."""
    os.setpgid(0, 0)  # Ctrl-C is for the parent
    _forget_dead()
    holder = Holder(from_state(plan.state))
    _told(holder.served)
    threading.Thread(target=_watch, args=(plan, holder), daemon=True).start()
    return create_app(holder, plan.feedback, plan.guard, plan.limits)


def from_state(state: Path) -> Served:
    """The model of the file, loaded and warmed. Raises UserError when it is not as told."""
    told: dict[str, Any] = files.read_json(state)
    served = load(Path(told["folder"]), told["name"], told["version"], told["about"])
    if served.content != told["content"]:
        raise UserError(f"{told['folder']} was changed since it was checked; get the model anew")
    return served


def _watch(plan: Plan, holder: Holder) -> None:
    """Follow the file that names the model; end when the service ends or the parent is gone."""
    parent = multiprocessing.parent_process()
    seen = plan.state.stat().st_mtime_ns
    while parent is not None and parent.is_alive() and not plan.leaving.exists():
        time.sleep(SECONDS)
        changed = plan.state.stat().st_mtime_ns
        if changed != seen:
            seen = changed
            swap(plan.state, holder)
    holder.leave(plan.limits.linger_seconds + 1)
    time.sleep(plan.limits.linger_seconds + 1)
    os.kill(os.getpid(), signal.SIGTERM)  # the parent's is lost when it comes during the start


def swap(state: Path, holder: Holder) -> None:
    """Replace the model, or tell why the one before stays."""
    try:
        served = from_state(state)
    except Exception as error:  # whatever is wrong with a new model, the old one answers
        metrics.SWAPS.labels("refused").inc()
        logs.line(event="model refused", level="error", reason=str(error))
        return
    metrics.MODEL.labels(**holder.served.identity).set(0)
    holder.served = served
    _told(served)


def _told(served: Served) -> None:
    """Say which model answers from now on."""
    metrics.MODEL.labels(**served.identity).set(1)
    metrics.SWAPS.labels("taken").inc()
    logs.line(event="model taken up", **served.identity)


def _forget_dead() -> None:
    """Take the gauges of workers that died out of the sums."""
    for file in Path(os.environ.get(metrics.FOLDER, "/nowhere")).glob("gauge_live*.db"):
        number = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(number):
            multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]
