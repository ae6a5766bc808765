"""What every room needs and what knows nothing of digits.

Here are params.yaml with its schema, the stage runner, the errors that a person reads, locks,
interrupts, atomic writes, hashes, git and DVC, text tables and HTML templates.
Images, models, MLflow and Optuna are not here; this room imports none of the others.
"""
