"""What is on an image, from Python: `from digits import load_model`. See docs/library.md.

`digits` exports the names of `__all__`. Nothing here prints; warnings go to the logger "digits".
"""

import logging
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from digits.datasets import image_files
from digits.inference import classifier, prediction
from digits.inference.classifier import Classifier
from digits.inference.prediction import Prediction
from digits.project.errors import UserError
from digits.registry import model_reference
from digits.tracking import store_uri

__all__ = ["Model", "Prediction", "UserError", "load_model"]
LOGGER = logging.getLogger("digits")


@dataclass(frozen=True)
class Model:
    """A loaded model. Several threads may use it at once.

    `name` is that of the version, such as `digits-2`, or else the reference that was given.
    `version` is None where no registry was involved: a folder, or the model of a git revision.
    `description` says more where it is known, as in `version 2, champion, test 99.42%`, and is
    empty elsewhere. `content_sha256` is the hash of its files, `classes` the names of its outputs
    in their order.
    """

    name: str
    version: int | None
    description: str
    content_sha256: str
    classes: list[str]
    _classifier: Classifier = field(repr=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input of the network: (28, 28), or (64, 64, 3) in color."""
        return self._classifier.format.shape

    def read(
        self, image: str | PathLike[str] | bytes | BinaryIO, *, several: bool | None = None
    ) -> Prediction:
        """Read an image: a path, the bytes of an image file, or an open binary file.

        Of a model of glyphs the prediction has the label of each glyph, of one of whole images
        one label. `several`: True for any number of glyphs, False for exactly one, None to decide
        by the image. Raises UserError when the image is missing, damaged, too large, or no image.
        """
        if isinstance(image, str | PathLike):
            name = fspath(image)
            content = image_files.read_image_bytes(name)
        else:
            content = image if isinstance(image, bytes) else image.read()
            name = str(getattr(image, "name", "image"))
        form = self._classifier.format
        reading, _ = prediction.read_image(content, name, several, image_format=form)
        assert reading.glyphs is not None  # else read_image has raised
        probabilities = self._classifier.probabilities(reading.glyphs.images)
        return Prediction(reading, self.classes, probabilities)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return calibrated probabilities, float32 [n, classes]; each row sums to 1.

        `images` is uint8 [n, *input_shape], for MNIST [n, 28, 28]. Glyphs have 0 as background
        and 255 as full ink, and are scaled and centered as in MNIST; `read` does that. Raises
        UserError for another shape or type.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape:
            found = f"an array of {images.dtype} {list(images.shape)}"
            expected = f"uint8 [n, {', '.join(map(str, self.input_shape))}]"
            background = ", 0 the background" if self._classifier.format.kind == "glyphs" else ""
            raise UserError(f"{found}: expected {expected}{background}; convert it")
        return self._classifier.probabilities(images)


def load_model(
    reference: str | PathLike[str] | None = None,
    *,
    max_age: float = 0.0,
    threads: int | None = None,
) -> Model:
    """Load a model after checking all of its files.

    `reference` is what `digits predict --model` takes: a model's folder or a file in it, an alias
    such as "champion", a version's number, a run id, or a git revision. None is models/digits of
    the checkout around the working directory, or else the registry's champion. `max_age` is that
    of an answer of the registry, in seconds, that is used without asking again. A prediction runs
    on `threads` threads, by default one per core.

    Raises UserError when there is no such model, or when a file is missing, extra or altered.
    """
    token = store_uri.WARN.set(LOGGER.warning)
    try:
        name = None if reference is None else fspath(reference)
        resolved = model_reference.resolve(name, max_age=max_age)
    finally:
        store_uri.WARN.reset(token)
    loaded = classifier.load(resolved, threads)
    about = (resolved.name, resolved.version, resolved.description, resolved.content_sha256)
    return Model(*about, loaded.classes, loaded)
