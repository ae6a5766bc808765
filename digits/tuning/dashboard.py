"""Optuna Dashboard on this computer, for the storage that studies are kept in."""

from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard

from digits.project.errors import UserError
from digits.project.params_schema import TuneParams
from digits.tracking.mlflow_ui import HOST, first_free_port
from digits.tuning import study_storage


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per request: the page asks several things at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """No line per request."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def serve_dashboard(tune: TuneParams, given: str | None, port: int) -> None:
    """Serve the pages until Ctrl-C, on `port` or the next free one.

    Raises UserError when there is no study yet, or the storage cannot be used.
    """
    url = study_storage.storage_url(given, tune.storage)
    with study_storage.translate_storage_errors(url):
        connected = study_storage.connect_storage(url)
        if tune.study not in optuna.get_all_study_names(connected):
            where = study_storage.display_url(url)
            raise UserError(f"{where} has no study {tune.study} yet; `digits tune` begins it")
        page = f"dashboard/studies/{connected.get_study_id_from_name(tune.study)}"
    free = first_free_port(port)
    application = _for_own_pages(optuna_dashboard.wsgi(connected), f"{HOST}:{free}")
    with make_server(HOST, free, application, _Server, _Quiet) as server:
        address = f"http://{HOST}:{free}/{page}"
        print(f"{address}  (study {tune.study}; Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _for_own_pages(application: Any, host: str) -> Any:
    """Refuse other sites, whose pages could otherwise change studies by way of the browser."""

    def checked(environ: dict[str, Any], start_response: Any) -> Any:
        origin = environ.get("HTTP_ORIGIN", f"http://{host}")
        if (environ.get("HTTP_HOST"), origin) == (host, f"http://{host}"):
            return application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [f"this is http://{host} only\n".encode()]

    return checked
