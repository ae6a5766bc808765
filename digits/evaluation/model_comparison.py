"""Two models on the validation pictures, for people; the test pictures are not touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.datasets import split_files
from digits.datasets.split_files import LabelledImages
from digits.evaluation import paired_comparison, scores
from digits.evaluation.paired_comparison import IncomparableError, ModelScores, PairedComparison
from digits.inference import model_integrity
from digits.inference.model_integrity import ResolvedModel
from digits.project import hashing, workspace
from digits.project.errors import UserError
from digits.tracking import run_context, run_lookup
from digits.tracking.run_context import INPUT_TAG

SIGNIFICANT = 0.05
VALIDATION = Path("data/splits/validation.npz")
MADE_BY = "digits compare"  # stands in each file that shows a comparison

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ComparedModel(ModelScores):
    """One of the two models: the numbers of the gate, which model it is, what it answers.

    `size` in bytes of its ONNX file, `params` as text, `predicted` (n,) class indices;
    `notes` say what to think of before believing it.
    """

    name: str
    content: str
    size: int
    params: Mapping[str, str]
    predicted: Ints
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ModelComparison:
    """Both models on `pictures`; in `contest`, `a` is the candidate and `b` the champion."""

    a: ComparedModel
    b: ComparedModel
    images: LabelledImages
    result: PairedComparison

    def is_correct(self, side: ComparedModel) -> NDArray[np.bool_]:
        """Which pictures a side labels rightly, (n,)."""
        return np.equal(side.predicted, self.images.labels)

    def accuracy(self, side: ComparedModel) -> tuple[float, tuple[float, float]]:
        """The accuracy of a side and its 95 % interval, fractions."""
        n = len(self.images)
        return side.correct / n, scores.wilson_interval(side.correct, n)

    @property
    def only_a(self) -> Ints:
        """The pictures that only `a` labels rightly, as positions."""
        return np.flatnonzero(self.is_correct(self.a) & ~self.is_correct(self.b))

    @property
    def only_b(self) -> Ints:
        """The pictures that only `b` labels rightly, as positions."""
        return np.flatnonzero(self.is_correct(self.b) & ~self.is_correct(self.a))

    @property
    def verdict(self) -> str:
        """Whether the difference is more than chance, in words."""
        if self.a.content == self.b.content:
            return "both are the same bytes"
        if self.result.p_value >= SIGNIFICANT:
            return "no difference beyond chance"
        better = self.a if self.result.difference > 0 else self.b
        return f"{better.name} is better beyond chance"

    @property
    def parameters(self) -> list[tuple[str, str, str]]:
        """Parameters that differ: name, value of `a`, value of `b`.

        Only of sections that both have: a model without its run knows its network alone.
        """
        ours, theirs = self.a.params, self.b.params
        sections = {k.partition(".")[0] for k in ours} & {k.partition(".")[0] for k in theirs}
        names = [k for k in sorted(ours.keys() | theirs.keys()) if k.partition(".")[0] in sections]
        rows = [(name, ours.get(name, "-"), theirs.get(name, "-")) for name in names]
        return [row for row in rows if row[1] != row[2]]


def compare(
    a: str, b: str, models: Sequence[ResolvedModel], validation: Path = VALIDATION
) -> ModelComparison:
    """Compare two `models`, which a person called `a` and `b`, on the validation images.

    Raises UserError when their classes differ, or when the split is missing or damaged.
    """
    path = workspace.checkout_root() / validation
    pictures = split_files.load(path)
    folders = [model.folder for model in models]
    try:
        found, predicted = paired_comparison.compare_models(folders[0], folders[1], pictures)
    except IncomparableError as error:
        message = f"{a} and {b} name other classes; compare models of the same classes"
        raise UserError(message) from error
    digest = hashing.file_sha256(path)
    told = [_run_parameters(model, validation.as_posix(), digest) for model in models]
    sides = [
        ComparedModel(
            **vars(numbers),
            name=given if given == model.name else f"{given} ({model.name})",
            content=model.content_sha256,
            size=(model.folder / model_integrity.ONNX).stat().st_size,
            params=params,
            predicted=answers,
            notes=notes,
        )
        for given, model, numbers, answers, (params, notes) in zip(
            (a, b), models, (found.candidate, found.champion), predicted, told, strict=True
        )
    ]
    return ModelComparison(sides[0], sides[1], pictures, found)


def _run_parameters(
    model: ResolvedModel, path: str, digest: str
) -> tuple[dict[str, str], list[str]]:
    """The parameters of a model, and what speaks against judging it by these pictures.

    All parameters are those of its run; without it, those of the network that it carries.
    """
    run = run_lookup.find_run(str(model.manifest["run_id"]))
    if run is None:
        own = run_context.flatten_params(model.manifest["network"], "model.")
        return own, ["its run is in no store that answers: whether it has seen them is unknown"]
    data = run.store.client.get_run(run.run_id).data
    same = data.tags.get(f"{INPUT_TAG}{path}") == digest
    notes = [] if same else ["it was trained on another split: it may have seen some of them"]
    return dict(data.params), notes
