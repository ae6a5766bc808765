"""The runs of a study's trials, inside the run of the study.

run = start_trial_run(study, "mlp 3", resume=None, params={"train.learning_rate": 0.01})
run.log_history([(1, {"validation/accuracy": 0.98})])
run.end("FINISHED", "time/training", 3.2)
"""

from digits.tracking import journal_folders, run_context, run_lookup, run_summary, run_writer
from digits.tracking.runs import Params, TrackedRun, open_run


def start_trial_run(study: str | None, name: str, resume: str | None, params: Params) -> TrackedRun:
    """Open a run below the run `study`: a new one, or the run `resume` of an earlier attempt."""
    run = open_run(name, resume, {run_lookup.PARENT_TAG: study} if study else {})
    changed = run_summary.format_values(run_context.flatten_params(params))
    # a reopened run has the name of another trial
    run.set_tags({run_summary.CHANGED_TAG: changed, "mlflow.runName": name})
    run.log_params(params)
    return run


def close_lost_runs(run_ids: list[str]) -> None:
    """Mark those of `run_ids` that are RUNNING as KILLED: no process will continue them.

    Also the runs of processes that were killed before their trial knew the run's id.
    """
    for run_id in run_ids:
        if run := run_lookup.find_run(run_id):
            run_writer.end_killed_run(run, run_writer.unix_ms())
    journal_folders.close_dead_runs()
