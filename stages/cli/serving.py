"""What `digits` does as a service."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    model: Annotated[
        str, typer.Option(help="An alias, a version's number or a folder.")
    ] = "champion",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Serve a model: a page to draw on, and an API."""
    from stages.serve import serve as run  # 1 s: FastAPI and ONNX Runtime

    run(model, host, port)
