"""Take up the model that `stages.serving.follow` wrote down, while requests go on."""

import asyncio
import multiprocessing
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from stages.lib import files
from stages.lib.errors import UserError
from stages.serving import logs
from stages.serving.metrics import Metrics
from stages.serving.served import Holder, Served, load

SECONDS = 0.5  # between two looks at a file


def from_state(state: Path) -> Served:
    """The model of the file, loaded and warmed. Raises UserError when it is not as told."""
    told: dict[str, Any] = files.read_json(state)
    served = load(Path(told["folder"]), told["name"], told["version"], told["about"])
    if served.content != told["content"]:
        raise UserError(f"{served.folder} was changed since it was checked; get the model anew")
    return served


def watching(state: Path, holder: Holder, metrics: Metrics) -> Callable[[], Awaitable[None]]:
    """A task that puts into `holder` whatever model the file comes to name."""

    async def watch() -> None:
        seen = state.stat().st_mtime_ns
        while not _orphaned():
            await asyncio.sleep(SECONDS)
            changed = state.stat().st_mtime_ns
            if changed != seen:
                seen = changed
                await asyncio.to_thread(swap, state, holder, metrics)
        signal.raise_signal(signal.SIGTERM)

    return watch


def _orphaned() -> bool:
    """Whether this is a worker whose parent is gone, without having ended it."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


def swap(state: Path, holder: Holder, metrics: Metrics) -> None:
    """Replace the model, or tell why the one before stays."""
    try:
        served = from_state(state)
    except Exception as error:  # whatever is wrong with a new model, the old one answers
        metrics.swaps.labels("refused").inc()
        logs.line(event="model refused", level="error", reason=str(error))
        return
    take(served, holder, metrics)


def take(served: Served, holder: Holder, metrics: Metrics) -> None:
    """Answer with `served` from now on."""
    before, holder.served = holder.served, served
    metrics.swapped(before, served)
    logs.line(event="model taken up", **served.identity)
