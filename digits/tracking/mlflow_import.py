"""Import MLflow as a library: silent, with short timeouts, and without what nothing here needs.

A process calls one of these functions before it imports anything of MLflow.
"""

import functools
import gc
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Below this level, each failed statement prints a page of traceback.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    # With MLflow's defaults, one call to a server that is gone blocks for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # addresses can hold passwords
}


@functools.cache
def configure_mlflow() -> None:
    """Configure MLflow where the user did not; call it before the first import of MLflow."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a line for each retry
    warnings.filterwarnings("ignore", module="mlflow")


@contextmanager
def quick_imports() -> Iterator[None]:
    """Let MLflow be imported without pandas, as in its own package mlflow-skinny.

    pandas takes a second, and so does looking for garbage, which imports do not make.
    """
    configure_mlflow()
    is_hidden = not {"mlflow", "pandas"} & sys.modules.keys()
    was_collecting = gc.isenabled()
    gc.disable()
    if is_hidden:
        sys.modules["pandas"] = None  # type: ignore[assignment]  # importing it fails
    try:
        yield
    finally:
        if is_hidden:
            del sys.modules["pandas"]
        if was_collecting:
            gc.enable()


def onnx_flavor() -> ModuleType:
    """Return the module `mlflow.onnx`; it and `mlflow.models` need pandas."""
    configure_mlflow()
    import mlflow.models

    if not hasattr(mlflow.models, "infer_signature"):
        importlib.reload(mlflow.models)  # imported first without pandas
    return importlib.import_module("mlflow.onnx")
