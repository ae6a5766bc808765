"""The results of a study: its best trials, and whether they are better than the current values.

The best of many trials is partly the luckiest. So the best settings are trained again with
other seeds, beside the current values, and only those results decide. They come from the
validation images too; tuning never reads the official test images. Figures are drawn in
`study_figures`.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from digits.evaluation import significance
from digits.project import params_file, workspace
from digits.project.errors import UserError
from digits.project.text_table import format_table
from digits.tuning.search_space import SearchSpace, Setting, short_name
from digits.tuning.study import all_trials, count_states, stored

CURRENT_NAME = "current values"
SEED_KEY = "train.seed"
SHOWN_TRIALS = 5
CAVEAT = """\
The best trials were selected by their accuracies, so these are too high. Training with other
seeds reduces this bias but does not remove it, since the validation images are the same. p:
McNemar's exact test on these images. The test images are not used."""


@dataclass(frozen=True)
class Candidate:
    """A setting trained with other seeds; `correct` (n,): the share of seeds right on an image."""

    name: str
    setting: Setting
    correct: NDArray[np.float64]
    loss: float

    @property
    def accuracy(self) -> float:
        """The mean over seeds and images, a fraction."""
        return float(self.correct.mean())

    def format_difference(self, other: "Candidate", seed: int) -> str:
        """The accuracy minus that of `other`, with its 95 % interval and p value."""
        low, high = significance.difference_interval(self.correct, other.correct, seed)
        p = significance.mcnemar_p_value(self.correct, other.correct)
        return f"{self.accuracy - other.accuracy:+.2%} ({low:+.2%} to {high:+.2%}), p {p:.2g}"


def format_results(study: optuna.Study, space: SearchSpace, candidates: list[Candidate]) -> str:
    """Format the best trials, the time that they took, and the comparison, as text."""
    parts = [best_table(study, space.current)]
    results = [r for t in all_trials(study) if (r := stored(t, "result"))]
    if finished := [r["seconds"] for r in results if r["outcome"] == "finished"]:
        share = sum(r["seconds"] for r in results) / (np.mean(finished) * len(results))
        parts.append(f"pruning: {share:.0%} of the time of training every trial to the end")
    if len(candidates) > 1:
        parts += [comparison_table(candidates, space), CAVEAT]
    if not choose_winner(candidates):
        parts.append("nothing better was found; params.yaml stays as it is")
    return "\n\n".join(parts)


def progress_note(study: optuna.Study) -> str:
    """How many trials are finished and pruned, and the best of them, in a few words."""
    count = count_states(study)
    note = f"{count[TrialState.COMPLETE]} finished, {count[TrialState.PRUNED]} pruned"
    if count[TrialState.COMPLETE]:
        note += f", best {study.best_value:.2%} (trial {study.best_trial.number})"
    return note


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that trained to the end, most accurate first; ties by lower loss."""
    finished = all_trials(study, TrialState.COMPLETE)
    return sorted(finished, key=lambda t: (-float(t.value or 0), stored(t, "result")["loss"]))


def select_finalists(study: optuna.Study, current: Setting, count: int) -> dict[str, Setting]:
    """Map names to the settings to compare: the current values, then the `count` best others."""
    finalists = {CURRENT_NAME: current}
    for trial in finished_trials(study):
        setting = stored(trial, "setting")
        if len(finalists) <= count and setting not in finalists.values():
            finalists[f"trial {trial.number}"] = setting
    return finalists


def load_candidates(
    study: optuna.Study, settings: Mapping[str, Setting], seeds: Sequence[int]
) -> list[Candidate]:
    """Those of the named `settings` that the confirming `study` has trained with all `seeds`."""
    finished = all_trials(study, TrialState.COMPLETE)
    results = {_key(stored(t, "setting")): stored(t, "result") for t in finished}
    candidates = []
    for name, setting in settings.items():
        keys = [_key(setting | {SEED_KEY: seed}) for seed in seeds]
        if results.keys() >= set(keys):
            correct = np.mean([_unpack(results[key]) for key in keys], axis=0)
            loss = float(np.mean([results[key]["loss"] for key in keys]))
            candidates.append(Candidate(name, setting, correct, loss))
    return candidates


def _key(setting: Setting) -> str:
    return json.dumps(setting, sort_keys=True)


def _unpack(result: dict[str, Any]) -> NDArray[np.uint8]:
    """The bits that `TrialTraining.result` packed: 1 for each image with the right label."""
    packed = np.frombuffer(bytes.fromhex(result["right"]), np.uint8)
    return np.unpackbits(packed, count=result["n"])


def best_table(study: optuna.Study, current: Setting) -> str:
    """A table of the best trials with their scores, times and settings; * marks `current`."""
    head = ["trial", "accuracy", "loss", "time", *map(short_name, current)]
    rows = []
    for trial in finished_trials(study)[:SHOWN_TRIALS]:
        result, setting = stored(trial, "result"), stored(trial, "setting")
        mark = "*" if setting == current else ""
        cells = [f"{trial.value:.2%}", f"{result['loss']:.4f}", f"{result['seconds']:.0f} s"]
        values = [params_file.format_value(setting[key]) for key in current]
        rows.append([f"{trial.number}{mark}", *cells, *values])
    return format_table(head, rows)


def best_list(study: optuna.Study, current: Setting) -> str:
    """The best trials as a list in Markdown, which wraps long lines where a table does not."""
    lines = []
    for trial in finished_trials(study)[:SHOWN_TRIALS]:
        setting = stored(trial, "setting")
        name = f"trial {trial.number}{', the current values' if setting == current else ''}"
        values = ", ".join(params_file.override_words({k: setting[k] for k in current}))
        lines.append(f"- {trial.value:.2%} ({name}): {values}")
    return "\n".join(lines)


def comparison_table(candidates: list[Candidate], space: SearchSpace) -> str:
    """A table of the candidates with their differences from the first, the current values."""
    current, *others = candidates
    head = [f"{space.tune.confirm} other seeds", "accuracy", "loss", "difference (95 % interval)"]
    differences = [c.format_difference(current, space.values.train.seed) for c in others]
    rows = [
        [c.name, f"{c.accuracy:.2%}", f"{c.loss:.4f}", difference]
        for c, difference in zip((*others, current), (*differences, ""), strict=True)
    ]
    return format_table(head, rows)


def choose_winner(candidates: list[Candidate]) -> Candidate | None:
    """The most accurate candidate; None if it is the first, the current values, or the only one."""
    if len(candidates) < 2:
        return None
    best = max(candidates, key=lambda candidate: candidate.accuracy)
    return best if best is not candidates[0] else None


def offer_change(current: Setting, winner: Candidate, *, apply: bool) -> None:
    """Write the winner's setting into params.yaml, or print what that would change.

    Raises UserError, and writes nothing, when params.yaml no longer has the values `current`.
    """
    path = workspace.checkout_root() / "params.yaml"
    changed = {key: value for key, value in winner.setting.items() if value != current[key]}
    if apply:
        if SearchSpace(params_file.load_params(path)).current != current:
            text = f"{path} has changed since the search began, so nothing was written"
            raise UserError(f"{text}; run the command again to compare with the new values")
        params_file.write_values(path, changed)
    rows = [[k, *map(params_file.format_value, (current[k], v))] for k, v in changed.items()]
    print(f"\n{winner.name} is better; params.yaml {'is changed' if apply else 'would change'}:")
    print(format_table(["", "from", "to"], rows))
    if apply:
        print("\n`dvc repro` trains, evaluates and registers a model with these values")
    else:
        words = [f"-S {shlex.quote(word)}" for word in params_file.override_words(changed)]
        print("\n`digits tune --apply` writes them; to try them without changing the file:")
        print(" ".join(["dvc exp run", *words]))
