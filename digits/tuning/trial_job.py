"""What the command that searches tells its worker processes."""

from dataclasses import dataclass

import optuna

from digits.project.params_schema import Params
from digits.tuning.study_storage import URL


@dataclass(frozen=True)
class TrialJob:
    """What a worker is started for. The study connects again in the worker's process."""

    url: URL
    study: optuna.Study
    values: Params
    inputs: dict[str, str]  # files of training and validation pictures -> SHA-256
    goal: int  # trials of the study
    threads: int
    until: float | None  # time after which no trial is begun
    alone: bool  # there is one worker: the same values in the same order
