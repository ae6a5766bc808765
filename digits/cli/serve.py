"""`digits serve`: serve a model over HTTP, with a page to try it."""

from pathlib import Path

import click

from digits.cli.options import FILE, MODEL, port_option

HOST = "Address to listen on. One that other computers can reach needs a token."
WORKERS = "Processes that answer requests."
LOG = """File for the log: a line of JSON per request and per event. [default: a file in .state if
standard error is a terminal, else standard error]"""
TOKEN_FILE = "File with tokens (16 characters or more), one a line. [default: DIGITS_TOKEN]"  # noqa: S105


@click.option("--model", metavar="MODEL", type=click.Path(), default="champion", help=MODEL)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help=HOST)
@port_option(8000)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", default=1, help=WORKERS)
@click.option("--token-file", metavar="FILE", type=FILE, help=TOKEN_FILE)
@click.option("--log", metavar="FILE", type=FILE, help=LOG)
def serve(
    model: str,
    host: str,
    port: int | None,
    *,
    workers: int,
    token_file: Path | None,
    log: Path | None,
) -> None:
    """Serve a model over HTTP, with a page to try it.

    Open http://localhost:8000 to draw or to drop images, and /docs for the HTTP API. When an
    alias moves, the service checks and loads the new version, then switches between two requests.
    If the check fails, it keeps the old version.

    Clients send the token as `Authorization: Bearer TOKEN`, browsers as the password. On a network
    that you do not trust, put a proxy in front that speaks TLS and cuts clients that do not read.

    SIGTERM or Ctrl-C: the service answers the requests that it has received, then ends.

    Example: digits serve --host 0.0.0.0 --token-file token.txt
    """
    from digits.service import access_control, processes  # 0.5 s: ONNX Runtime

    tokens = access_control.read_tokens(token_file)
    processes.run_service(model, host, port, workers=workers, tokens=tokens, log=log)
