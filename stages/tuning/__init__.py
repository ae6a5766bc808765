"""Everything Optuna: the study, who may run which trial, the workers, what came of it.

The only package of the project that imports optuna. Nothing here is read by `dvc repro`.
"""
