"""`mlflow models serve`, the server whose clients `digits serve` answers, too."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request

from digits.tracking.mlflow_ui import choose_port


@contextlib.contextmanager
def scoring_server(folder):
    """Run MLflow's own server for the champion of a checkout; yield its (host, port)."""
    port = choose_port(None, 5700)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/digits@champion"]
    with subprocess.Popen(
        [*command, "--env-manager", "local", "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}/ping")
            yield "127.0.0.1", port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _wait_until_ready(process, url):
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as response:
            assert response.status == 200
            return
        time.sleep(0.1)
    raise TimeoutError(url)
