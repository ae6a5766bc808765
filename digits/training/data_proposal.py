"""Propose values of params.yaml for images that somebody wants to train on.

What the images are is found out by `datasets.data_look`; what a training of them would cost is
estimated in `training_cost`.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from digits.datasets.data_look import DataLook
from digits.project import workspace
from digits.project.git_revisions import run_git
from digits.project.params_file import Recipe

BATCH = "train.batch_size"
DIGITS = tuple("0123456789")
MAX_SIDE = 64  # pixels: larger images are proposed at that size, which two processors can train
MLP_INPUTS = 1024  # values of an image: with more, or with few images, a cnn learns better
FEW_IMAGES = 20_000
SMALL_BATCH, SMALL_STEPS = 128, 1600  # images of a batch, and steps, for fewer images than that
MAX_EPOCHS = 100
TRAINED = 0.7  # share of the images that are trained on, where the test is a share
# Changes that leave whole images what they are; many images need fewer of them.
IMAGES = {"rotation": 0.0, "scale": 0.0, "shear": 0.0, "elastic": 0.0, "gain": 0.0}
FEW = {"rotation": 3.0, "scale": 0.05}
SHIFT = 0.02  # of the side; twice that for few images
COLORS = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2}
MIRRORED = {"flip": 0.5}
# MNIST's own values, those of the shipped params.yaml; the rest of the values are the recipe mlp's.
MNIST: Recipe = {
    "data.source": "mnist",
    "data.path": "data/raw",
    "data.kind": "glyphs",
    "data.size": 28,
    "data.channels": 1,
    "data.fit": "pad",
    "data.test": "official",
    "data.group": "none",
    "data.unreadable": "stop",
    "register.name": "digits",
    "tune.study": "mlp",
    "tune.space.train.batch_size.choices": [256, 512],
    "tune.space.augment.rotation.low": 8.0,
    "tune.space.augment.elastic.low": 0.2,
    "train.epochs": 20,
    "model.kind": "mlp",
    "model.views": 1,
    BATCH: 256,
    "train.shard": 0,
    "train.learning_rate": 0.0067,
    "train.weight_decay": 0.0275,
    "train.label_smoothing": 0.0205,
    "augment.rotation": 13.7,
    "augment.scale": 0.15,
    "augment.shear": 0.2,
    "augment.shift": 1.5,
    "augment.elastic": 0.364,
    "augment.gain": 0.6,
    "augment.flip": 0.0,
    "augment.erase": 0.0,
    "augment.brightness": 0.0,
    "augment.contrast": 0.0,
    "augment.saturation": 0.0,
    "augment.flagged_ones": 200,
}
# What shipped recipes set to another value than MNIST's own.
MNIST_RECIPES = {"cnn": {"augment.rotation": 15.0, "augment.elastic": 0.5}}


def propose(found: DataLook, recipes: dict[str, Recipe]) -> dict[str, Any]:
    """Return values by dotted keys of params.yaml; `recipes` are those of the file."""
    if found.source == "mnist":
        return MNIST | _in_recipes(recipes, MNIST, MNIST_RECIPES)
    values = MNIST | _data(found) | _augment(found) | _training(found, recipes)
    name = found.source.partition(":")[2] or Path(found.path).resolve().name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64] or "images"
    values |= {"register.name": name, "tune.study": name}
    values |= {"tune.space.augment.rotation.low": 0.0, "tune.space.augment.elastic.low": 0.0}
    return values | _in_recipes(recipes, values, {})


def _data(found: DataLook) -> dict[str, Any]:
    """Return the section `data`."""
    return {
        "data.source": found.source,
        "data.path": _stored_path(found),
        "data.kind": "glyphs" if found.glyphs else "images",
        "data.size": _side(found),
        "data.channels": 3 if found.color else 1,
        "data.test": found.test,
        "data.group": found.group,
        "data.unreadable": "skip" if found.unreadable else "stop",
    }


def _side(found: DataLook) -> int:
    """Return an even side near that of most images, from 16 to MAX_SIDE; MNIST's for glyphs."""
    longest = int(np.median(found.sizes.max(1)))
    return 28 if found.glyphs else min(max(16, longest + longest % 2), MAX_SIDE)


def _stored_path(found: DataLook) -> str:
    """Return the path for params.yaml: relative to the checkout if git or DVC tracks the folder.

    Other folders are not in the copies that `dvc exp run --temp` works in, so their path is
    absolute.
    """
    if found.source != "folder":
        return found.path
    path, root = Path(os.path.abspath(found.path)), workspace.checkout_root()  # noqa: PTH100
    tracked = path.is_relative_to(root) and run_git("ls-files", "--", str(path), f"{path}.dvc")
    if tracked:
        return path.relative_to(root).as_posix()
    return str(path)


def _augment(found: DataLook) -> dict[str, Any]:
    """Return changes of images that leave them what they are.

    Single characters are not mirrored; glyphs are changed as MNIST's are, without its flags.
    """
    if found.glyphs:
        is_digits = tuple(found.classes) == DIGITS
        return {"augment.flagged_ones": MNIST["augment.flagged_ones"] if is_digits else 0}
    is_few = found.images < FEW_IMAGES
    changes = IMAGES | {"shift": round(SHIFT * _side(found) * (1 + is_few), 1)}
    changes |= FEW if is_few else {}
    changes |= COLORS if found.color else {}
    changes |= MIRRORED if any(len(name) > 1 for name in found.classes) else {}
    return {"augment.flagged_ones": 0, **{f"augment.{key}": v for key, v in changes.items()}}


def _training(found: DataLook, recipes: dict[str, Recipe]) -> dict[str, Any]:
    """Return the network, and more epochs of smaller batches for few images."""
    data, is_few = _data(found), found.images < FEW_IMAGES
    values: dict[str, Any] = {}
    inputs = data["data.size"] ** 2 * data["data.channels"]
    if "cnn" in recipes and (inputs > MLP_INPUTS or is_few):
        own = recipes["cnn"].items()
        values |= {key: v for key, v in own if key in MNIST and not key.startswith("augment.")}
    if is_few:
        steps = max(1, int(TRAINED * found.images) // SMALL_BATCH)
        epochs = min(MAX_EPOCHS, max(MNIST["train.epochs"], -(-SMALL_STEPS // steps)))
        values |= {BATCH: SMALL_BATCH, "train.epochs": epochs}
        values |= {"tune.space.train.batch_size.choices": [SMALL_BATCH, 2 * SMALL_BATCH]}
    return values


def _in_recipes(
    recipes: dict[str, Recipe], values: Recipe, special: dict[str, Recipe]
) -> dict[str, Any]:
    """Return what recipes set themselves of that which depends on the images, not on a network.

    `special` are values of some recipes that stay.
    """
    return {
        f"recipes.{name}.{key}": special.get(name, {}).get(key, values[key])
        for name, recipe in recipes.items()
        for key in recipe
        if key in values and (key.startswith("augment.") or (name, key) == ("mlp", BATCH))
    }
