"""The application of a worker: the routes of all modules, and the middleware around them.

Each protocol's routes are in a module of its own; `/metrics` is here.
"""

from itertools import chain

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from digits.service import api_docs, mlflow_scoring, open_inference, predict_route, web_pages
from digits.service.admission_limits import WorkerSettings
from digits.service.dynamic_batching import BatchQueue
from digits.service.middleware import RequestMiddleware
from digits.service.openapi_routes import ApiRoute, RouteTable
from digits.service.prometheus_metrics import exposition
from digits.service.served_model import ModelHolder


def create_app(holder: ModelHolder, settings: WorkerSettings) -> RequestMiddleware:
    """Return the application that serves the model in `holder`."""
    queue = BatchQueue(holder)
    groups = {
        "Predictions": predict_route.routes(queue),
        "MLflow": mlflow_scoring.routes(queue),
        "Open Inference Protocol": open_inference.routes(queue),
        "Pages": web_pages.routes(queue, settings.feedback),
    }
    groups["Operations"] = [ApiRoute("/metrics", metrics), *api_docs.routes(groups, holder)]
    return RequestMiddleware(RouteTable(chain(*groups.values())), holder, settings)


async def metrics(_: Request) -> Response:
    """Metrics in the format of Prometheus."""
    return Response(await run_in_threadpool(exposition), media_type=CONTENT_TYPE_LATEST)
