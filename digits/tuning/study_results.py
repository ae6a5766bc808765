"""What a study found: its best trials, and whether they are better than the current values.

The best of many trials is partly the luckiest, so the best few are trained again with other
seeds, beside the current values, and only those results decide. Their pictures are the
validation pictures still; the official test pictures play no part in tuning. What is better
is written into params.yaml if that is wanted.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
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
from digits.tuning.study import all_trials, count_states

SEED_KEY = "train.seed"
SHOWN_TRIALS = 5  # trials in the table
CAVEAT = """\
The trials' own accuracies flatter the best of them, which was chosen by them; the other seeds
do so less, though their validation pictures are the same. p: McNemar's exact test, picture by
picture. The test pictures play no part."""


@dataclass(frozen=True)
class Candidate:
    """A setting on other seeds: `right` (pictures,) is the share of them that label it rightly."""

    name: str
    setting: Setting
    correct: NDArray[np.float64]
    loss: float

    @property
    def accuracy(self) -> float:
        """The mean over seeds and pictures, a fraction."""
        return float(self.correct.mean())

    def against(self, other: "Candidate", seed: int) -> str:
        """How much better this is than `other`, and how sure that is."""
        low, high = significance.difference_interval(self.correct, other.correct, seed)
        p = significance.mcnemar_p_value(self.correct, other.correct)
        difference = self.accuracy - other.accuracy
        return f"{difference:+.2%} ({low:+.2%} to {high:+.2%}), p {p:.2g}"


def format_results(study: optuna.Study, space: SearchSpace, compared: list[Candidate]) -> str:
    """What a person wants to know in the end."""
    parts = [best_table(study, space.current)]
    share = time_share(study)
    if share is not None:
        parts.append(f"pruning: {share:.0%} of the time of training every trial to the end")
    if len(compared) > 1:
        values = space.values
        parts += [comparison_table(compared, values.tune.confirm, values.train.seed), CAVEAT]
    if len(compared) < 2 or choose_winner(compared) is compared[0]:
        parts.append("nothing better was found; params.yaml stays as it is")
    return "\n\n".join(parts)


def progress_note(study: optuna.Study) -> str:
    """How the trials have ended so far, and the best of them, in a few words."""
    count = count_states(study)
    words = f"{count[TrialState.COMPLETE]} finished, {count[TrialState.PRUNED]} pruned"
    if not count[TrialState.COMPLETE]:
        return words
    return f"{words}, best {study.best_value:.2%} (trial {study.best_trial.number})"


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were trained to the end, best first; of equal ones the lower loss."""
    ended = [t for t in all_trials(study) if t.state is TrialState.COMPLETE]
    return sorted(ended, key=lambda t: (-float(t.value or 0), t.user_attrs["result"]["loss"]))


def select_finalists(study: optuna.Study, current: Setting, count: int) -> list[FrozenTrial]:
    """The `count` best finished trials of different settings other than `current`."""
    found: dict[str, FrozenTrial] = {}
    for trial in finished_trials(study):
        if trial.user_attrs["setting"] != current:
            found.setdefault(_key(trial.user_attrs["setting"]), trial)
    return list(found.values())[:count]


def load_candidates(
    study: optuna.Study, named: Mapping[str, Setting], seeds: Iterable[int]
) -> list[Candidate]:
    """Those of `named` that the confirming `study` has trained with each of `seeds`."""
    results = {
        _key(t.user_attrs["setting"]): t.user_attrs["result"]
        for t in all_trials(study)
        if t.state is TrialState.COMPLETE
    }
    found = []
    for name, setting in named.items():
        mine = [results.get(_key({**setting, SEED_KEY: seed})) for seed in seeds]
        known = [result for result in mine if result is not None]
        if len(known) == len(mine):
            right = np.mean([_bits(result) for result in known], axis=0)
            loss = float(np.mean([result["loss"] for result in known]))
            found.append(Candidate(name, setting, right, loss))
    return found


def _key(setting: Setting) -> str:
    return json.dumps(setting, sort_keys=True)


def _bits(result: dict[str, Any]) -> NDArray[np.uint8]:
    """What `Attempt.result` packed."""
    packed = np.frombuffer(bytes.fromhex(result["right"]), np.uint8)
    return np.unpackbits(packed, count=result["n"])


def best_table(study: optuna.Study, current: Setting) -> str:
    """The best trials with what they trained with, how they did and how long they took."""
    head = ["trial", "accuracy", "loss", "time", *map(short_name, current)]
    rows = []
    for trial in finished_trials(study)[:SHOWN_TRIALS]:
        result, setting = trial.user_attrs["result"], trial.user_attrs["setting"]
        mark = "*" if setting == current else ""
        cells = [f"{trial.value:.2%}", f"{result['loss']:.4f}", f"{result['seconds']:.0f} s"]
        values = [params_file.format_value(setting[key]) for key in current]
        rows.append([f"{trial.number}{mark}", *cells, *values])
    return format_table(head, rows)


def comparison_table(compared: list[Candidate], seeds: int, seed: int) -> str:
    """The candidates on other seeds, the current values first."""
    current, *others = compared
    head = [f"on {seeds} other seeds", "accuracy", "loss", "more than now (95 % interval)"]
    rows = [
        [c.name, f"{c.accuracy:.2%}", f"{c.loss:.4f}", c.against(current, seed)] for c in others
    ]
    rows.append([current.name, f"{current.accuracy:.2%}", f"{current.loss:.4f}", ""])
    return format_table(head, rows)


def choose_winner(compared: list[Candidate]) -> Candidate:
    """The most accurate; the current values, which come first, where others are not better."""
    return max(compared, key=lambda candidate: candidate.accuracy)


def time_share(study: optuna.Study) -> float | None:
    """The time of all trials as a share of what they would take trained to the end."""
    results = [t.user_attrs["result"] for t in all_trials(study) if "result" in t.user_attrs]
    whole = [r["seconds"] for r in results if r["outcome"] == "finished"]
    if not whole:
        return None
    return float(sum(r["seconds"] for r in results) / (np.mean(whole) * len(results)))


def offer_change(current: Setting, better: Candidate, *, apply: bool) -> None:
    """Write a better setting into params.yaml, or say what that would change.

    Raises UserError, and writes nothing, when the searched values are `current` no more.
    """
    path = workspace.checkout_root() / "params.yaml"
    changed = {key: value for key, value in better.setting.items() if value != current[key]}
    if apply:
        if SearchSpace(params_file.load_params(path)).current != current:
            found = f"{path} has had other values since this began; nothing was written"
            raise UserError(f"{found}, run the command again to compare")
        params_file.write_values(path, changed)
    rows = [
        [k, params_file.format_value(current[k]), params_file.format_value(v)]
        for k, v in changed.items()
    ]
    print(f"\n{better.name} is better; params.yaml {'is changed' if apply else 'would change'}:")
    print(format_table(["", "from", "to"], rows))
    if apply:
        print("\n`dvc repro` trains, evaluates and registers it")
    else:
        words = [f"-S {shlex.quote(word)}" for word in params_file.override_words(changed)]
        print("\n`digits tune --apply` writes that; to try it alone:")
        print(" ".join(["dvc exp run", *words]))
