"""Two models on the validation images, for people: scores, parameters, who is right where.

The test images are not read. `comparison_report` formats the comparison as text, page and PNG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import paired_comparison
from digits.evaluation.paired_comparison import IncomparableError, ModelScores, PairedComparison
from digits.evaluation.scores import Ints, wilson_interval
from digits.inference import model_integrity
from digits.inference.model_integrity import ResolvedModel
from digits.project import hashing, workspace
from digits.project.errors import UserError
from digits.tracking import run_context, run_lookup
from digits.tracking.run_context import INPUT_TAG

SIGNIFICANT = 0.05
VALIDATION = Path("data/splits/validation.npz")


@dataclass(frozen=True)
class ComparedModel:
    """One of the two models: `size` in bytes of its ONNX file, `predicted` (n,) class indices.

    `params` are flat and those of its run; without the run, those of its network alone.
    `notes` are reasons to doubt its scores.
    """

    name: str
    content: str
    size: int
    scores: ModelScores
    predicted: Ints
    params: Mapping[str, str]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ModelComparison:
    """Two models on `images`; in `result`, `a` is the candidate and `b` the champion.

    `only_a` and `only_b` are positions of images that only this model classifies correctly.
    """

    a: ComparedModel
    b: ComparedModel
    images: LabelledImages
    result: PairedComparison
    only_a: Ints
    only_b: Ints

    def accuracy(self, model: ComparedModel) -> tuple[float, tuple[float, float]]:
        """Return the accuracy of `a` or `b` and its 95 % interval, fractions."""
        right, n = model.scores.correct, len(self.images)
        return right / n, wilson_interval(right, n)

    @property
    def verdict(self) -> str:
        """Whether the difference in accuracy is more than chance, in words."""
        if self.a.content == self.b.content:
            return "both models have the same files"
        if self.result.p_value >= SIGNIFICANT:
            return "no difference beyond chance"
        better = self.a if self.result.difference > 0 else self.b
        return f"{better.name} is better beyond chance"

    @property
    def parameters(self) -> list[tuple[str, str, str]]:
        """Parameters that differ, of sections that both models have: name, value of each."""
        a, b = self.a.params, self.b.params
        sections = {k.partition(".")[0] for k in a} & {k.partition(".")[0] for k in b}
        names = [k for k in sorted(a.keys() | b.keys()) if k.partition(".")[0] in sections]
        return [(k, a.get(k, "-"), b.get(k, "-")) for k in names if a.get(k) != b.get(k)]


def compare(
    a: str, b: str, models: Sequence[ResolvedModel], split: Path | None = None
) -> ModelComparison:
    """Compare two `models`, which the user calls `a` and `b`, on the validation images.

    `split` is their file, by default that of the checkout. Raises UserError when the models'
    classes differ, or when the file is missing or damaged.
    """
    path = split or workspace.checkout_root() / VALIDATION
    images, folders = split_files.load(path), [model.folder for model in models]
    try:
        result, predicted = paired_comparison.compare_models(folders[0], folders[1], images)
    except IncomparableError as error:
        rule = "only models with the same classes can be compared"
        raise UserError(f"{a} and {b} have {error}: {rule}") from error
    digest = hashing.file_sha256(path)
    first = _describe(a, models[0], result.candidate, predicted[0], digest)
    second = _describe(b, models[1], result.champion, predicted[1], digest)
    right_a, right_b = (answers == images.labels for answers in predicted)
    only_a, only_b = np.flatnonzero(right_a & ~right_b), np.flatnonzero(right_b & ~right_a)
    return ModelComparison(first, second, images, result, only_a, only_b)


def _describe(
    reference: str, model: ResolvedModel, scores: ModelScores, predicted: Ints, split_hash: str
) -> ComparedModel:
    """Add name, size, parameters and notes of a model, which the user calls `reference`.

    A run whose validation split has another hash than `split_hash` gives a note.
    """
    name = reference if reference == model.name else f"{reference} ({model.name})"
    size = (model.folder / model_integrity.ONNX).stat().st_size
    if run := run_lookup.find_run(str(model.manifest["run_id"])):
        data = run.store.client.get_run(run.run_id).data
        tags = run_context.unfold_tags(data.tags)
        same = tags.get(f"{INPUT_TAG}{VALIDATION.as_posix()}") == split_hash
        notes = [] if same else ["it was trained on another split, perhaps on these images"]
        params = dict(data.params)
    else:
        params = run_context.flatten_params(model.manifest["network"], "model.")
        notes = ["its run is in no store that answers: it may have been trained on these images"]
    return ComparedModel(name, model.content_sha256, size, scores, predicted, params, notes)
