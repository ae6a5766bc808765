"""MLflow's scoring protocol, for clients of `mlflow models serve`.

`inputs` or `instances` with images give `{"predictions": {"logits": ...}}`. Data frames and
named inputs are refused, as MLflow refuses them for a model with one unnamed tensor.
"""

from importlib import metadata
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from digits.preprocessing.image_format import ImageFormat
from digits.service import responses, tensor_payloads
from digits.service.dynamic_batching import BatchQueue, ImageArray
from digits.service.openapi_routes import ApiRoute
from digits.service.responses import RequestRefusedError

Gray = Annotated[int, Field(ge=0, le=255)]
Row = list[Gray] | list[list[Gray]]
SHAPE = "Glyphs [n, side, side], 0 is background; or images of any size, [n, height, width, 3]."
Images = Annotated[list[list[Row]], Field(description=SHAPE)]


class InputsRequest(BaseModel):
    """Images as `inputs`. Other keys are ignored."""

    inputs: Images


class InstancesRequest(BaseModel):
    """Images as `instances`, the protocol's other name for them. Other keys are ignored."""

    instances: Images


class PredictionsResponse(TypedDict):
    """`logits` has a row for each image and a number for each class."""

    predictions: dict[Literal["logits"], list[list[float]]]


FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")


def routes(queue: BatchQueue) -> list[ApiRoute]:
    """Return the routes of the protocol."""

    async def invocations(request: Request) -> Response:
        """Compute the logits of images, as MLflow's scoring server does."""
        if not responses.is_json(request):
            raise RequestRefusedError(415, "expected the type application/json, in UTF-8")
        form = queue.holder.served.classifier.format
        images = await queue.parse(_parse_body, request["body"], form)
        output = await queue.predict(images)
        content: PredictionsResponse = {"predictions": {"logits": output.logits.tolist()}}
        return responses.model_response(content, output.served)

    async def ping(_: Request) -> Response:
        """Check that the service is ready: 200, or 503 while it shuts down."""
        return Response("\n", 200 if queue.holder.ready else 503, media_type=responses.JSON)

    async def mlflow_version(_: Request) -> Response:
        """The version of MLflow whose protocol is answered."""
        return Response(metadata.version("mlflow"), media_type=responses.JSON)

    body = InputsRequest | InstancesRequest
    return [
        ApiRoute(responses.INVOCATIONS, invocations, response=PredictionsResponse, body=body),
        ApiRoute("/ping", ping),
        ApiRoute("/health", ping),
        ApiRoute("/version", mlflow_version),
    ]


def _parse_body(body: bytes, image_format: ImageFormat) -> ImageArray:
    """Return the images in a body. Raises RequestRefusedError if it is not a valid request."""
    content = responses.parse_json(body)
    forms = [form for form in FORMS if form in content] if isinstance(content, dict) else []
    if forms not in (["inputs"], ["instances"]):
        raise RequestRefusedError(400, "expected an object with either inputs or instances")
    return tensor_payloads.parse_images(content[forms[0]], image_format)
