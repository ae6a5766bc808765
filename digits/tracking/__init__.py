"""MLflow: runs, what they log, and the stores that hold them.

`runs` opens the runs of training and evaluation, `nested_runs` those of a search's trials. What
a run logs waits in a `journal` until `run_writer` has written it to the store. `tracking_store`
opens stores and reports their failures, `run_lookup` finds runs, `logged_model` packs models.
`mlflow_ui` shows MLflow's pages, and `experiment_page` prepares the first of them. `metric_names`
and `run_summary` have the names and the words that people read there.

Registered versions, aliases and promotion are in `digits.registry`.
"""
