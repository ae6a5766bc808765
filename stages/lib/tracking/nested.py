"""The runs of a study's trials, inside the run of the study.

where = connect()
run = start(where, parent, "mlp 3", resume=None, params={"train.learning_rate": 0.01})
run.log_history([(1, {"validation_accuracy": 0.98})])
run.end("FINISHED", "training_seconds", 3.2)
"""

from collections.abc import Mapping

from stages.lib.errors import UserError
from stages.lib.tracking import address, find, journal, record, store
from stages.lib.tracking.journal import Journal
from stages.lib.tracking.runs import Run
from stages.lib.tracking.store import Store, Target, stores

PARENT = "mlflow.parentRunId"


def start(
    where: Store, parent: str | None, name: str, resume: str | None, params: Mapping[str, object]
) -> Run:
    """A run below `parent`: a new one, or the one that an earlier attempt left."""
    tags = {PARENT: parent} if parent else {}
    try:
        target = _reopened(resume) or journal.create(where, name, tags)
    except UserError:
        raise
    except Exception as error:  # tracking is no reason not to work
        address.warn(f"the tracking server failed ({address.reason(error)}); the run is kept here")
        target = journal.create(store.embedded(), name, tags)
    run = Run(Journal(target, name))
    run.set_tags({"mlflow.runName": name})  # of a reopened run it is another trial's
    run.log_params(params)
    return run


def _reopened(run_id: str | None) -> Target | None:
    found = find.run(run_id) if run_id else None
    return None if found is None else journal.reopen(found)


def close(run_ids: list[str]) -> None:
    """Mark those that are RUNNING as KILLED: nobody will go on with them.

    And runs of a process that was killed before it could tell their trial about them.
    """
    for run_id in run_ids:
        found = find.run(run_id)
        if found and found.store.client.get_run(run_id).info.status == "RUNNING":
            found.store.client.set_terminated(found.run_id, "KILLED", record.now())
    for here in stores():
        find.sweep(here)
