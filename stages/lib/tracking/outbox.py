"""Send what was kept in the embedded store while the tracking server did not answer.

Everything is looked up on the server before it is made, so that sending twice, or again
after being killed half-way, sends nothing twice.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.errors import UserError
from stages.lib.tracking import (
    address,
    copying,
    find,
    logged_model,
    promotion,
    record,
    registry,
    removal,
    store,
)
from stages.lib.tracking.entry import PREFIX
from stages.lib.tracking.journal import CONTINUES, SENT_FROM, SENT_TO, UNSENT
from stages.lib.tracking.promotion import Decide
from stages.lib.tracking.store import Store, Target
from stages.lib.tracking.version import CONTENT, Version

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

# Tags of a version that say something about the registry it is in.
OWN = (registry.MADE_BY, PREFIX, "gate")
WAITS = f"tags.`{UNSENT}` = 'true'"


@dataclass(frozen=True)
class Summary:
    """What `send` did."""

    server: str
    runs: int
    versions: int

    def __str__(self) -> str:
        if not self.runs and not self.versions:
            return f"nothing waits to be sent to {self.server}"
        return f"sent {self.runs} run(s) and {self.versions} version(s) to {self.server}"


def send(decide: Decide) -> Summary:
    """Copy the runs and versions that wait here to the configured server.

    `decide` gives each version its alias against the server's champion. Raises UserError
    when no server is configured or it does not answer.
    """
    server, here = _server(), store.embedded()
    with store.lock("send"):
        try:
            find.sweep(here)
            runs = [_send_run(here, run_id, server) for run_id in _waiting(here)]
            versions = [_send_version(v, here, server, decide) for v in _waiting_versions(here)]
        except Exception as error:  # whatever it is: all that was sent stays sent
            message = f"sending to {server} stopped ({address.reason(error)})"
            raise UserError(f"{message}; run `digits send` again for the rest") from error
    return Summary(str(server), len(runs), len(versions))


def _server() -> Store:
    uri = address.configured()
    if uri is None:
        message = f"no tracking server to send to; set {address.VARIABLE} to its address"
        raise UserError(message)
    server = store.connect()
    if server.embedded:
        raise UserError(f"{address.redact(uri)} does not answer; nothing was sent, try again later")
    return server


def _waiting(here: Store) -> list[str]:
    """Ended runs that wait, oldest first."""
    condition = f"{WAITS} and attributes.status != 'RUNNING'"
    order = ["attributes.start_time ASC"]
    return [r.info.run_id for r in _pages(here, condition, order)]


def _pages(where: Store, condition: str, order: list[str]) -> Iterator["MlflowRun"]:
    token = None
    while True:
        page = where.client.search_runs(
            [where.experiment], condition, order_by=order, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _send_run(here: Store, run_id: str, server: Store) -> Target:
    source = Target(here, run_id)
    target = _counterpart(source, server)
    copying.run(source, target)
    info = here.client.get_run(run_id).info
    server.client.set_terminated(target.run_id, info.status, info.end_time)
    record.tags(source, {UNSENT: "false", SENT_TO: target.run_id})
    return target


def _counterpart(source: Target, server: Store) -> Target:
    """The server's run for a local one: the one it continues, its earlier copy or a new one."""
    run = source.store.client.get_run(source.run_id)
    known = list(filter(None, (source.run_id, run.data.tags.get(CONTINUES))))
    for run_id in known:
        found = find.in_store(server, run_id)
        if found is not None:
            record.tags(found, {f"{SENT_FROM}{source.run_id}": "true"})
            return found
    # A run that no store has, such as another person's, is known by its copy from here on.
    marks = {f"{SENT_FROM}{run_id}": "true" for run_id in known}
    info = run.info
    made = server.client.create_run(server.experiment, info.start_time, marks, info.run_name)
    return Target(server, made.info.run_id)


def _waiting_versions(here: Store) -> list["ModelVersion"]:
    """Versions that wait, in the order in which they were registered."""
    found = here.client.search_model_versions(WAITS, max_results=1000)
    return sorted(found, key=lambda v: (v.name, int(v.version)))


def _send_version(mine: "ModelVersion", here: Store, server: Store, decide: Decide) -> Version:
    run = here.client.get_run(str(mine.run_id))
    target = Target(server, run.data.tags[SENT_TO])
    model_id = copying.model(here, target, str(mine.source).removeprefix("models:/"))
    kept = (k for k in mine.tags if k not in copying.LOCAL and not k.startswith(OWN))
    first = {key: mine.tags[key] for key in kept}
    first["run_id"] = target.run_id
    lineage = (*registry.LINEAGE, CONTENT, "run_id")
    always = {k: v for k, v in first.items() if not k.startswith(lineage)}
    always[f"{registry.MADE_BY}{target.run_id}"] = "true"
    sent = registry.ensure(mine.name, target, lambda: model_id, first=first, always=always)
    if removal.REMOVED in sent.tags:
        with tempfile.TemporaryDirectory() as scratch:
            place = here.client.get_model_version_download_uri(mine.name, mine.version)
            removal.restore(sent, logged_model.fetch(here, place, Path(scratch)))
    promotion.promote(sent, decide)
    here.client.set_model_version_tag(mine.name, mine.version, UNSENT, "false")
    return sent
