"""Which model a person means: the one grammar of every command that reads a model.

A reference is tried as a path, then as a registered version (alias, number or run id, see
`version_lookup`), then as a git revision (see `published_model`). Nothing here imports MLflow
or DVC: a folder resolves fast.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from digits.inference import model_integrity
from digits.inference.model_integrity import ResolvedModel
from digits.project import workspace
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.registry.model_version import RegisteredVersion


def resolve(reference: str | None) -> ResolvedModel:
    """Return the model that `reference` names, its files on this disk and checked.

    None is the checkout's own models/digits where that exists, else the registry's champion.
    Raises UserError when nothing has that name, or when anything about the files is wrong.
    """
    reference = _default_reference() if reference is None else reference
    model = look_up(reference)
    if isinstance(model, ResolvedModel):
        return model
    from digits.registry import published_model  # MLflow is loaded already

    return published_model.download(model, reference)


def look_up(reference: str) -> "ResolvedModel | RegisteredVersion":
    """Find what `reference` names; of a version, the files are neither downloaded nor checked.

    Raises UserError when nothing has that name, or when the files of a folder or of a git
    revision are wrong.
    """
    path = Path(reference)
    if path.exists():
        folder = path if path.is_dir() else path.parent
        return ResolvedModel(reference, folder, model_integrity.check_model(folder))
    if reference.startswith((".", "/")):  # no version or revision does
        raise UserError(f"{reference}: no such file or folder; name the folder of a model")
    from digits.registry import published_model  # 2 s: MLflow

    return published_model.look_up(reference)


def _default_reference() -> str:
    try:
        folder = workspace.checkout_root() / workspace.MODEL_OUTPUT
    except UserError:
        return "champion"
    return str(folder) if folder.exists() else "champion"
