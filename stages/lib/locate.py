"""Where a model is that somebody names."""

import os
from pathlib import Path

from stages.lib import files


def model_folder(reference: str | None) -> Path:
    """The folder of a model: the project's own for None, one that exists, or a registered one.

    Anything else than a folder goes to the registry: an alias, a version's number.
    Raises UserError when the registry has none.
    """
    if reference is None:
        return files.workspace() / "models/digits"
    if os.sep in reference or Path(reference).is_dir():
        return Path(reference)
    from stages.lib.tracking import fetch  # 2 s: MLflow

    return fetch.fetch(reference)[0]
