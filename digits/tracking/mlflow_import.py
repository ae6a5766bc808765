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
from importlib import metadata
from types import ModuleType
from typing import Any

QUIET = {
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # it would look for them in each installed package
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
    """Let MLflow be imported in half the time, on its first use in this process.

    It goes without pandas, as in its own package mlflow-skinny, and without FastAPI, of which a
    client needs one exception. It reads the entry points of all packages once instead of seven
    times. Python does not look for garbage, which imports do not make.
    """
    configure_mlflow()
    if "mlflow.tracking" in sys.modules:  # a later use, which imports little
        yield
        return
    was_collecting, stand_ins = gc.isenabled(), _stand_ins()
    find_entry_points, found = metadata.entry_points, metadata.entry_points()
    gc.disable()
    sys.modules |= stand_ins
    metadata.entry_points = found.select
    try:
        yield
    finally:
        metadata.entry_points = find_entry_points
        for name in stand_ins:
            del sys.modules[name]
        if was_collecting:
            gc.enable()


def _stand_ins() -> dict[str, Any]:
    """Return what stands in for packages while MLflow is imported; None: its import fails."""
    if {"mlflow", "pandas", "fastapi"} & sys.modules.keys():
        return {}
    fastapi = ModuleType("fastapi")
    fastapi.HTTPException = Exception  # type: ignore[attr-defined]
    return {"pandas": None, "fastapi": fastapi}


def onnx_flavor() -> ModuleType:
    """Return the module `mlflow.onnx`; it and `mlflow.models` need pandas."""
    configure_mlflow()
    import mlflow.models

    if not hasattr(mlflow.models, "infer_signature"):
        importlib.reload(mlflow.models)  # imported first without pandas
    return importlib.import_module("mlflow.onnx")
