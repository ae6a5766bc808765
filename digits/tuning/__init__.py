"""Search for better values of params.yaml with Optuna (`digits tune`, `digits dashboard`).

`search` leads a search from its first trial to the comparison of its best trials with the
current values. `search_space` and `study` say what is drawn and which trials are to be run;
`study_storage` connects to the database of the studies. `worker_pool` starts the processes
in which `worker` runs trials. `study_results`, `study_figures`, `study_notes` and `dashboard`
show a study.

Not here: how a network is trained (`training`), how two models are compared statistically
(`evaluation.significance`), and how runs reach MLflow (`tracking`).
"""
