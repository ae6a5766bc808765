"""`POST /predict`: a picture -> the digits on it."""

import base64
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
from digits.project.errors import UserError
from digits.service import prometheus_metrics, responses
from digits.service.dynamic_batching import BatchQueue
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import Base64, ModelIdentity, RequestBody, RequestRefusedError, Status

MAX_PIXELS = 24_000_000  # pixels; what telephones take, and 72 MB while it is read
Digit = Annotated[int | str, Field(description="A number where the class is called by one.")]


class PredictOptions(RequestBody):
    """What a request wants to know of a picture."""

    top: Annotated[int, Field(ge=1, le=10, description="Answers per digit, likeliest first.")] = 1
    several: Annotated[bool | None, Field(description="Or one digit; automatic if absent.")] = None
    pictures: Annotated[bool, Field(description="Add what the network saw.")] = False


class PredictRequest(PredictOptions):
    """A picture and what to know of it."""

    picture: Base64


class TopClass(TypedDict):
    """One of several answers to a digit."""

    digit: Digit
    probability: float


class PredictResponse(TypedDict):
    """The digits on a picture; lists have an entry for each digit."""

    status: Status
    digit: Annotated[Digit | None, Field(description="If there is one alone.")]
    probability: Annotated[float | None, Field(description="That the whole text is right.")]
    text: Annotated[str, Field(description="All digits, / between rows.")]
    boxes: Annotated[list[list[int]], Field(description="Left, top, right, bottom in pixels.")]
    probabilities: list[float]
    doubtful: list[bool]
    notes: list[str]
    top: NotRequired[list[list[TopClass]]]
    pictures: NotRequired[Annotated[list[Base64], Field(description="What the network saw: PNG.")]]
    model: ModelIdentity
    request_id: str


def routes(work: BatchQueue) -> list[ApiRoute]:
    """The route."""

    async def predict(request: Request) -> Response:
        """The digits on a picture: PNG, JPEG, WebP, BMP, GIF or TIFF.

        The picture's bytes are the body, whatever the content type says; or they are in
        JSON as base64, beside the options.
        """
        asked, reading = await work.run_in_thread(_read_request, request)
        assert reading.glyphs is not None  # the image was read
        glyphs = reading.glyphs.images
        outcome = await work.predict(glyphs)
        served = outcome.served
        answer = Prediction(reading, served.classifier.classes, outcome.probabilities)
        if answer.status != "ok":
            prometheus_metrics.labelled_metric(prometheus_metrics.REJECTS, answer.status).inc()
        told = prediction_record(answer, asked.top)
        del told["file"]
        if asked.pictures:
            told["pictures"] = [_png(picture) for picture in glyphs]
        about = {"model": served.identity, "request_id": request["request_id"]}
        return responses.model_response(told | about, served)

    return [
        ApiRoute(
            "/predict", predict, answer=PredictResponse, body=PredictRequest, options=PredictOptions
        )
    ]


def _read_request(request: Request) -> tuple[PredictRequest, ImageReading]:
    """What is asked, and the glyphs on the image. Raises RequestRefusedError for anything else."""
    asked = _parse_request(request)
    try:
        return asked, read_image(asked.picture, "body", asked.several, MAX_PIXELS)[0]
    except UserError as error:
        raise RequestRefusedError(400, str(error)) from None


def _parse_request(request: Request) -> PredictRequest:
    """What is asked, by query or by JSON. Raises RefusedError for anything else."""
    if responses.is_json(request):
        return responses.validate_request(PredictRequest, request["body"])
    query = request.query_params.multi_items()
    if len(dict(query)) < len(query):
        raise RequestRefusedError(400, "a parameter is given twice")
    told = {**dict(query), "picture": request["body"]}
    return responses.validate_request(
        PredictRequest, told, strict=False
    )  # in a query, all values are text


def _png(picture: NDArray[np.uint8]) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
