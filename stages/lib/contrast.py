"""Two models on the validation pictures, for people; the test pictures are not touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib import classifier, comparison, dataset, files, gate, scores
from stages.lib.dataset import Pictures
from stages.lib.errors import UserError
from stages.lib.tracking import find, lineage, subject
from stages.lib.tracking.origin import INPUT
from stages.lib.tracking.subject import Subject

SIGNIFICANT = 0.05
MADE_BY = "digits compare"  # stands in each file that shows a comparison

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Side(gate.Side):
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
class Comparison:
    """Both models on `pictures`; in `contest`, `a` is the candidate and `b` the champion."""

    a: Side
    b: Side
    pictures: Pictures
    contest: gate.Contest

    def right(self, side: Side) -> NDArray[np.bool_]:
        """Which pictures a side labels rightly, (n,)."""
        return np.equal(side.predicted, self.pictures.labels)

    def accuracy(self, side: Side) -> tuple[float, tuple[float, float]]:
        """The accuracy of a side and its 95 % interval, fractions."""
        n = len(self.pictures)
        return side.right / n, scores.interval(side.right, n)

    @property
    def only_a(self) -> Ints:
        """The pictures that only `a` labels rightly, as positions."""
        return np.flatnonzero(self.right(self.a) & ~self.right(self.b))

    @property
    def only_b(self) -> Ints:
        """The pictures that only `b` labels rightly, as positions."""
        return np.flatnonzero(self.right(self.b) & ~self.right(self.a))

    @property
    def verdict(self) -> str:
        """Whether the difference is more than chance, in words."""
        if self.a.content == self.b.content:
            return "both are the same bytes"
        if self.contest.p >= SIGNIFICANT:
            return "no difference beyond chance"
        better = self.a if self.contest.difference > 0 else self.b
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


def compare(a: str, b: str, validation: Path = Path("data/splits/validation.npz")) -> Comparison:
    """Compare what `a` and `b` mean: versions, aliases, runs, git revisions, files or folders.

    Raises UserError when one of them is no whole model, or when their classes differ.
    """
    path = files.workspace() / validation
    pictures = dataset.load(path)
    subjects = [subject.find(name) for name in (a, b)]
    try:
        found, predicted = comparison.measured(subjects[0].folder, subjects[1].folder, pictures)
    except comparison.IncomparableError as error:
        message = f"{a} and {b} name other classes; compare models of the same classes"
        raise UserError(message) from error
    digest = files.sha256(path)
    told = [_told(one, validation.as_posix(), digest) for one in subjects]
    sides = [
        Side(
            **vars(numbers),
            name=given if given == one.name else f"{given} ({one.name})",
            content=one.content,
            size=(one.folder / classifier.ONNX).stat().st_size,
            params=params,
            predicted=answers,
            notes=notes,
        )
        for given, one, numbers, answers, (params, notes) in zip(
            (a, b), subjects, (found.candidate, found.champion), predicted, told, strict=True
        )
    ]
    return Comparison(sides[0], sides[1], pictures, found)


def _told(model: Subject, path: str, digest: str) -> tuple[dict[str, str], list[str]]:
    """The parameters of a model, and what speaks against judging it by these pictures.

    All parameters are those of its run; without it, those of the network that it carries.
    """
    run = find.run(str(model.manifest["run_id"]))
    if run is None:
        own = lineage.flatten(model.manifest["network"], "model.")
        return own, ["its run is in no store that answers: whether it has seen them is unknown"]
    data = run.store.client.get_run(run.run_id).data
    same = data.tags.get(f"{INPUT}{path}") == digest
    notes = [] if same else ["it was trained on another split: it may have seen some of them"]
    return dict(data.params), notes
