"""Serve a model over HTTP: an API, and a page to draw on.

    digits serve --model champion

One process answers (or several, on one port), another follows the registry. Neither torch
nor MLflow is loaded where requests are answered.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from stages.lib import files
from stages.lib.errors import UserError
from stages.serving import logs, workers
from stages.serving.guard import Guard, is_loopback
from stages.serving.workers import Plan

BACKLOG = 1000  # connections that wait to be accepted
TOKEN = "DIGITS_TOKEN"  # noqa: S105  (the name of a variable)
SHORTEST = 16  # characters of a token
AGAIN = 5.0  # seconds after which the process that follows the registry is started again


def serve(
    model: str, host: str, port: int, processes: int = 1, token_file: Path | None = None
) -> None:
    """Serve `model` until SIGTERM or Ctrl-C, and finish what was asked.

    Raises UserError when there is no such model, when the port is taken, and when others
    could reach the service without a token.
    """
    guard = Guard(is_loopback(host), token(token_file))
    if not guard.loopback and guard.token is None:
        found = f"others could reach {host} and there is no token"
        raise UserError(f"{found}; set {TOKEN} or give --token-file, or leave --host away")
    logs.start()
    with listening(host, port) as bound, tempfile.TemporaryDirectory("-digits") as scratch:
        state = Path(scratch) / "model.json"
        with following(model, state):
            plan = Plan(guard, state, files.home() / "data/feedback")
            address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
            told = f"{address}  ({plan.name()}; Ctrl-C ends it)"
            workers.run(plan, bound, processes, Path(scratch), partial(print, told, flush=True))


def token(file: Path | None) -> str | None:
    """The token of a file, or else of the environment; never of a command line."""
    try:
        found = file.read_text().strip() if file else os.environ.get(TOKEN, "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); expected a file with a token") from error
    if (file or found) and len(found) < SHORTEST:
        raise UserError(f"the token has {len(found)} characters; take at least {SHORTEST}")
    return found or None


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that waits for connections; port 0 is any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except (OSError, OverflowError) as error:
            found = f"cannot listen on {host} port {port} ({error})"
            raise UserError(f"{found}; give another --port or --host") from error
        bound.listen(BACKLOG)
        bound.setblocking(False)
        yield bound


@contextmanager
def following(model: str, state: Path) -> Iterator[None]:
    """Keep the process that writes into `state` which model `model` means.

    Raises SystemExit when there is none; that process has said why.
    """
    process = _follower(model, state)
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=[process, ended, model, state], daemon=True)
    try:
        while not state.exists():
            if process.poll() is not None and not state.exists():
                raise SystemExit(process.returncode or 2)
            time.sleep(0.05)
        keeper.start()
        yield
    finally:
        ended.set()
        if keeper.ident is None:
            _end(process)
        else:
            keeper.join()


def _follower(model: str, state: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stages.serving.follow", model, str(state)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _keep(
    process: subprocess.Popen[bytes], ended: threading.Event, model: str, state: Path
) -> None:
    """Start the process again when it dies; end it at the end."""
    while not ended.wait(AGAIN):
        if process.poll():
            logs.line(event="following again", level="error", status=process.returncode)
            process = _follower(model, state)
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends with its standard input; if not, then for certain."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
