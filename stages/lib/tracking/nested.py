"""The runs of a study's trials, inside the run of the study.

run = start(parent, "mlp 3", resume=None, params={"train.learning_rate": 0.01})
run.log_history([(1, {"validation_accuracy": 0.98})])
run.end("FINISHED", "training_seconds", 3.2)
"""

from collections.abc import Mapping

from stages.lib.tracking import find, journal, record
from stages.lib.tracking.find import PARENT
from stages.lib.tracking.runs import Run


def start(parent: str | None, name: str, resume: str | None, params: Mapping[str, object]) -> Run:
    """A run below `parent`: a new one, or the one that an earlier attempt left."""
    tags = {PARENT: parent} if parent else {}
    entries = journal.reopen(resume, name=name, tags=tags) if resume else journal.start(name, tags)
    run = Run(entries, resumed=resume is not None)
    run.set_tags({"mlflow.runName": name})  # of a reopened run it is another trial's
    run.log_params(params)
    return run


def close(run_ids: list[str]) -> None:
    """Mark those that are RUNNING as KILLED: nobody will go on with them.

    And runs of a process that was killed before it could tell their trial about them.
    """
    for run_id in run_ids:
        found = find.run(run_id)
        if found and found.store.client.get_run(found.run_id).info.status == "RUNNING":
            found.store.client.set_terminated(found.run_id, "KILLED", record.now())
    journal.tidy()
