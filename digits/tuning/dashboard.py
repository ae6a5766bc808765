"""Optuna Dashboard on this computer, for the study of params.yaml. MLflow's pages: `tracking`."""

from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard

from digits.project.errors import UserError
from digits.project.params_schema import TuneParams
from digits.tracking.mlflow_ui import HOST, choose_port
from digits.tuning import study_notes, study_storage


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per request: a page sends several requests at once."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    """A handler that logs no requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


def serve_dashboard(
    tune: TuneParams, address: str | None, name: str | None, port: int | None
) -> None:
    """Serve the pages until Ctrl-C, on `port`, by default the first free one from 8080 on.

    `address` replaces the configured storage, `name` the configured study. Raises UserError when
    the storage cannot be used or does not have the study.
    """
    study = name or tune.study
    url = study_storage.storage_url(address, tune.storage)
    with study_storage.translate_storage_errors(url):
        storage = study_storage.connect_storage(url)
        if study not in optuna.get_all_study_names(storage):
            problem = study_notes.unknown_study(study, storage)
            raise UserError(f"{study_storage.display_url(url)} {problem}")
        page = f"dashboard/studies/{storage.get_study_id_from_name(study)}"
    free = choose_port(port, 8080)
    application = _reject_other_sites(optuna_dashboard.wsgi(storage), f"{HOST}:{free}")
    with make_server(HOST, free, application, _Server, _QuietHandler) as server:
        print(f"http://{HOST}:{free}/{page}  (study {study}; Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _reject_other_sites(application: Any, host: str) -> Any:
    """Wrap `application`: pages of other sites could change studies through the browser."""

    def checked(environ: dict[str, Any], start_response: Any) -> Any:
        origin = environ.get("HTTP_ORIGIN", f"http://{host}")
        if (environ.get("HTTP_HOST"), origin) == (host, f"http://{host}"):
            return application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [f"only requests from http://{host} are answered\n".encode()]

    return checked
