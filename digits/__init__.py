"""Handwritten digits: from MNIST to a model that is trained, registered, served and compared.

`load_model`, `Model`, `Prediction` and `UserError` are for other programs; they live in
`digits.library`, which is imported when one of them is first used.

The rooms, from the outermost to the innermost: cli, service and tuning, registry, training,
evaluation, tracking, inference, datasets, preprocessing, project. A module imports from its own
room and from rooms further down this list; `lint-imports` checks that. The pipeline's five
scripts are in `stages/`, outside of the package, and may import any room.
"""

__all__ = ["Model", "Prediction", "UserError", "load_model"]  # their types: __init__.pyi


def __getattr__(name: str) -> object:
    """Return a name of `__all__` (PEP 562). A plain import would load ONNX Runtime and OpenCV."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("digits.library"), name)


def __dir__() -> list[str]:
    """List the names of `__all__`, too."""
    return sorted({*globals(), *__all__})
