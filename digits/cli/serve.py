"""`digits serve`: serve a model over HTTP, with a page to draw on."""

from pathlib import Path
from typing import Annotated

from typer import Option

from digits.cli.options import MODEL

HOST = "Address to listen on. One that other computers can reach needs a token."
TOKEN_FILE = "File with the token, 16 characters or more. [default: DIGITS_TOKEN]"  # noqa: S105


def serve(
    model: Annotated[str, Option(metavar="MODEL", help=MODEL)] = "champion",
    host: Annotated[str, Option(metavar="ADDRESS", help=HOST)] = "127.0.0.1",
    port: Annotated[
        int, Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[int, Option(min=1, metavar="N", help="Processes that answer requests.")] = 1,
    token_file: Annotated[Path | None, Option(metavar="FILE", help=TOKEN_FILE)] = None,
) -> None:
    """Serve a model over HTTP, with a page to draw on.

    Open http://localhost:8000 to draw digits or drop images, and /docs for the HTTP API. When an
    alias moves, the service checks and loads the new version, then switches between two requests.
    If the check fails, it keeps the old version.

    Clients send the token as `Authorization: Bearer TOKEN`, browsers as the password. On a network
    that you do not trust, put a proxy in front that speaks TLS and cuts clients that do not read.

    SIGTERM or Ctrl-C: the service answers the requests that it has received, then ends.

    Example: digits serve --host 0.0.0.0 --token-file token.txt
    """
    from digits.service import access_control, processes  # 0.5 s: ONNX Runtime

    token = access_control.read_token(token_file)
    processes.run_service(model, host, port, workers=workers, token=token)
