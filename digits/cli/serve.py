"""`digits serve`: serve a model: a page to draw on, and an API."""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.options import MODEL


def serve(
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL)] = "champion",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the token; or set DIGITS_TOKEN.")
    ] = None,
) -> None:
    """Serve a model: a page to draw on, and an API.

    When an alias moves, the new version is fetched, checked and taken up without a dropped
    request. Only this computer can ask, unless --host names an address that others reach;
    then a token is needed, sent as `Authorization: Bearer TOKEN` or as a browser's password.

    SIGTERM or Ctrl-C: what was asked is answered, then it ends.

    Open to a network that you do not trust, put a proxy in front that ends connections whose
    client does not read its answer, and that speaks TLS.
    """
    from digits.service import (
        access_control,
        processes,  # 0.5 s: ONNX Runtime
    )

    processes.run_service(
        model, host, port, workers=workers, token=access_control.read_token(token_file)
    )
