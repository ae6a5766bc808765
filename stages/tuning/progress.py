"""What a study has come to so far, in one line."""

import sys
import time
from collections import Counter

import optuna
from optuna.trial import FrozenTrial, TrialState

from stages.tuning.trials import all_trials

LOOK = 1.0  # seconds between two looks at the study
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class Progress:
    """A line on stderr; on a terminal it is rewritten, elsewhere told after each trial."""

    def __init__(self, study: optuna.Study, goal: int) -> None:
        self._study, self._goal = study, goal
        self._began = self._looked = time.monotonic()
        self._before = self._shown = len(_done(all_trials(study)))

    def __call__(self) -> None:
        """Look now and then, and tell."""
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._tell("")

    def close(self) -> None:
        """Look a last time; the line stays."""
        self._tell("\n")

    def _tell(self, end: str) -> None:
        trials = all_trials(self._study)
        done = len(_done(trials))
        if sys.stderr.isatty():
            print(f"\r\033[K{self.line(trials)}", end=end, file=sys.stderr, flush=True)
        elif done > self._shown:
            print(self.line(trials), file=sys.stderr, flush=True)
        self._shown = done

    def line(self, trials: list[FrozenTrial]) -> str:
        """How many trials are done and how, the best value, and the time that is left."""
        counts = Counter(trial.state for trial in trials)
        done = len(_done(trials))
        parts = [
            f"{done}/{self._goal} trials",
            f"{counts[TrialState.COMPLETE]} finished, {counts[TrialState.PRUNED]} pruned",
        ]
        if counts[TrialState.COMPLETE]:
            best = self._study.best_trial
            parts.append(f"best {best.value:.2%} (trial {best.number})")
        if done > self._before:
            pace = (time.monotonic() - self._began) / (done - self._before)
            parts.append(f"{pace * max(0, self._goal - done):.0f} s left")
        return ", ".join(parts)


def _done(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state in DONE]
