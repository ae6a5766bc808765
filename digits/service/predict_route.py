"""`POST /predict`: read the glyphs in an image, or classify the whole image.

Decoding and finding the glyphs is the work of `digits.inference` and `digits.preprocessing`.
"""

from base64 import b64encode
from typing import Annotated, NotRequired

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from digits.inference.output_formats import prediction_record
from digits.inference.prediction import ImageReading, Prediction, read_image
from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError
from digits.service import prometheus_metrics, responses
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import (
    Base64,
    ModelDescription,
    RequestBody,
    RequestRefusedError,
    Status,
)

MAX_PIXELS = 24_000_000  # of a phone's photograph; 72 MB when decoded
Digit = Annotated[int, Field(description="The same as a number, where the classes are digits.")]
Labels = list[str] | list[list[str]]
TEXT = "All labels, / between rows; a list, or one per row, where names have several characters."


class PredictOptions(RequestBody):
    """Options of a request."""

    top: Annotated[int, Field(ge=1, le=10, description="Number of classes for each glyph.")] = 1
    several: Annotated[bool | None, Field(description="true: several glyphs; false: one")] = None
    pictures: Annotated[bool, Field(description="Add the inputs of the network.")] = False
    draft: Annotated[bool, Field(description="true: not finished, /metrics leaves it out")] = False


class PredictRequest(PredictOptions):
    """An image, encoded in base64, and options.

    Without `several`, the service looks for one or several glyphs by itself.
    """

    picture: Base64


class TopClass(TypedDict):
    """A possible class of a glyph or an image."""

    label: str
    digit: NotRequired[Digit]
    probability: float


class PredictResponse(TypedDict):
    """What is on an image. Each list has one entry for each glyph, or one for the whole image."""

    status: Status
    label: Annotated[str | None, Field(description="The label, if there is exactly one.")]
    digit: NotRequired[Digit | None]
    probability: Annotated[float | None, Field(description="That the whole text is right.")]
    text: Annotated[str | Labels, Field(description=TEXT)]
    boxes: Annotated[list[list[int]], Field(description="Left, top, right, bottom in pixels.")]
    probabilities: list[float]
    doubtful: list[bool]
    notes: list[str]
    top: NotRequired[list[list[TopClass]]]
    pictures: NotRequired[Annotated[list[Base64], Field(description="Network inputs, as PNG.")]]
    model: ModelDescription
    request_id: str


def routes(queue: BatchQueue) -> list[ApiRoute]:
    """Return the route."""

    async def predict(request: Request) -> Response:
        """Read an image: PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF.

        Send the image's bytes as the body and the options in the query. Or send JSON with the
        image in base64 and the options beside it.
        """
        form = queue.holder.served.classifier.format
        parsed, reading = await queue.run_in_thread(_read_request, request, form)
        assert reading.glyphs is not None  # the image was read
        glyphs = reading.glyphs.images
        output = await queue.predict(glyphs, counted=not parsed.draft)
        served = output.served
        prediction = Prediction(reading, served.classifier.classes, output.probabilities)
        request.scope["draft"] = parsed.draft
        if prediction.status != "ok" and not parsed.draft:
            prometheus_metrics.labelled_metric(prometheus_metrics.REJECTS, prediction.status).inc()
        content = prediction_record(prediction, parsed.top)
        del content["file"]
        if parsed.pictures:
            files = [cv2.imencode(".png", glyph[..., ::-1])[1].data for glyph in _as_rgb(glyphs)]
            content["pictures"] = [b64encode(file).decode() for file in files]
        content |= {"model": served.description, "request_id": request["request_id"]}
        return responses.model_response(content, served)

    types = {"response": PredictResponse, "body": PredictRequest}
    return [ApiRoute("/predict", predict, **types, options=PredictOptions)]


def _as_rgb(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return inputs of the network with a last dimension: a gray value, or three colors."""
    return images[..., None] if images.ndim == 3 else images


def _read_request(
    request: Request, image_format: ImageFormat
) -> tuple[PredictRequest, ImageReading]:
    """Return a request and what is on its image. Raises RequestRefusedError if invalid."""
    parsed = _parse_request(request)
    try:
        options = (parsed.several, MAX_PIXELS, image_format)
        return parsed, read_image(parsed.picture, "body", *options)[0]
    except UserError as error:
        raise RequestRefusedError(400, str(error)) from None


def _parse_request(request: Request) -> PredictRequest:
    """Return a request sent as JSON or by query. Raises RequestRefusedError if invalid."""
    if responses.is_json(request):
        return responses.validate_request(PredictRequest, request["body"])
    query = request.query_params.multi_items()
    if len(dict(query)) < len(query):
        raise RequestRefusedError(400, "a parameter is given twice")
    values = {**dict(query), "picture": request["body"]}  # those of the query are all text
    return responses.validate_request(PredictRequest, values, strict=False)
