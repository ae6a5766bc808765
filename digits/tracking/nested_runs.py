"""The runs of a study's trials, inside the run of the study.

run = start(parent, "mlp 3", resume=None, params={"train.learning_rate": 0.01})
run.log_history([(1, {"validation_accuracy": 0.98})])
run.end("FINISHED", "training_seconds", 3.2)
"""

from collections.abc import Mapping

from digits.tracking import journal_folders, run_lookup, run_writer
from digits.tracking.run_lookup import PARENT_TAG
from digits.tracking.runs import TrackedRun


def start_trial_run(
    parent: str | None, name: str, resume: str | None, params: Mapping[str, object]
) -> TrackedRun:
    """A run below `parent`: a new one, or the one that an earlier attempt left."""
    tags = {PARENT_TAG: parent} if parent else {}
    entries = (
        journal_folders.reopen_journal(resume, name=name, tags=tags)
        if resume
        else journal_folders.start_journal(name, tags)
    )
    run = TrackedRun(entries, resumed=resume is not None)
    run.set_tags({"mlflow.runName": name})  # of a reopened run it is another trial's
    run.log_params(params)
    return run


def close_lost_runs(run_ids: list[str]) -> None:
    """Mark those that are RUNNING as KILLED: nobody will go on with them.

    And runs of a process that was killed before it could tell their trial about them.
    """
    for run_id in run_ids:
        found = run_lookup.find_run(run_id)
        if found and found.store.client.get_run(found.run_id).info.status == "RUNNING":
            found.store.client.set_terminated(found.run_id, "KILLED", run_writer.now_ms())
    journal_folders.close_dead_runs()
