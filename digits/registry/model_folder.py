"""Where a model is that somebody names."""

import os
from pathlib import Path

from digits.project import workspace


def model_folder(reference: str | None) -> Path:
    """The folder of a model: the project's own for None, one that exists, or a registered one.

    Anything else than a folder goes to the registry: an alias, a version's number.
    Raises UserError when the registry has none.
    """
    if reference is None:
        return workspace.checkout_root() / "models/digits"
    if os.sep in reference or Path(reference).is_dir():
        return Path(reference)
    from digits.registry import version_download  # 2 s: MLflow

    return version_download.download_reference(reference)[0]
