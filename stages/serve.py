"""Serve a model over HTTP: an API, and a page to draw on.

digits serve
"""

import uvicorn

from stages.lib import files, locate
from stages.serving import served
from stages.serving.about import about
from stages.serving.app import create_app


def serve(model: str, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve `model` until SIGTERM or Ctrl-C."""
    folder = locate.model_folder(model)
    found = served.load(folder, folder.name, served.LOCAL, about(folder, None))
    app = create_app(served.Holder(found), files.home() / "data/feedback")
    uvicorn.run(app, host=host, port=port)
