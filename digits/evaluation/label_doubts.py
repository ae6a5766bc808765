"""Rank labelled images by how much a model doubts their labels, and show them on a page.

The doubt is the loss of the label. Random changes of the training images keep a network from
learning a wrong label by heart, so the loss stays high on the images that it was trained on, too.
The page needs no server, network or script.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from digits.datasets import data_report
from digits.datasets.split_files import LabelledImages
from digits.inference.classifier import Classifier
from digits.project import atomic_files, html_templates
from digits.project.errors import UserError
from digits.project.progress_bar import ProgressBar

TEMPLATE = Path(data_report.__file__).with_name("label_report.html")
CHUNK = 1000  # images between two updates of the progress bar
SHOWN = 200
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class DoubtedLabel:
    """An image with its `label` and the model's `answer`, and the probabilities of both.

    `file` is relative to the folder, or a number within the split where there are no files.
    """

    file: str
    split: str
    label: str
    probability: float
    answer: str
    answer_probability: float


@dataclass(frozen=True)
class LabelDoubts:
    """The most doubted labels of `images`, the worst first, and a picture of each.

    `other_answers` is the number of all images for which the model's answer is not the label.
    """

    images: int
    other_answers: int
    labels: list[DoubtedLabel]
    urls: list[str]


def rank_labels(model: Classifier, splits: dict[str, LabelledImages]) -> LabelDoubts:
    """Return the labels in `splits` that the model doubts most.

    Raises UserError when the splits are of other classes or images than the model's.
    """
    places, rows = [], []
    for name, part in splits.items():
        if (list(part.classes), part.format) != (model.classes, model.format):
            problem = f"the {name} images have other classes or another format than the model"
            raise UserError(f"{problem}; `dvc repro` trains one on them")
        places += [(name, i) for i in range(len(part))]
        rows.append(_probabilities(model, part))
    labels = np.concatenate([part.labels for part in splits.values()])
    probabilities = np.concatenate(rows)
    worst = probabilities[np.arange(len(labels)), labels].argsort(kind="stable")[:SHOWN].tolist()
    chosen = [(*places[i], probabilities[i]) for i in worst]
    return LabelDoubts(
        len(labels),
        int((probabilities.argmax(1) != labels).sum()),
        [_doubt(splits[name], name, i, row) for name, i, row in chosen],
        [data_report.image_url(splits[name].images[[i]], model.format, 1) for name, i, _ in chosen],
    )


def _probabilities(model: Classifier, part: LabelledImages) -> Floats:
    """Return probabilities (n, classes) that are above 0, so that the worst can be ranked."""
    bar, rows = ProgressBar(len(part), "images"), []
    for start in range(0, len(part), CHUNK):
        bar.update(start)
        rows.append(model.logits(part.images[start : start + CHUNK]).astype(np.float64))
    bar.clear()
    return np.asarray(softmax(np.concatenate(rows), axis=1))


def _doubt(part: LabelledImages, split: str, i: int, row: Floats) -> DoubtedLabel:
    label, answer = int(part.labels[i]), int(row.argmax())
    file = part.files[i] if part.files else f"{split} {i}"
    given, best = (float(row[j]) for j in (label, answer))
    return DoubtedLabel(file, split, part.classes[label], given, part.classes[answer], best)


def write_page(doubts: LabelDoubts, path: Path) -> None:
    """Write the page to `path`, whole or not at all."""
    atomic_files.write_bytes(path, html_templates.render(TEMPLATE, **vars(doubts)).encode())
