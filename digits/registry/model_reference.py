"""Which model a person means: the one grammar of every command that reads a model.

Nothing here imports MLflow or DVC: naming a folder is quick.
"""

from pathlib import Path

from digits.inference import model_integrity
from digits.inference.model_integrity import ResolvedModel
from digits.project import workspace
from digits.project.errors import UserError


def resolve(reference: str | None) -> ResolvedModel:
    """The model that `reference` names, its files on this disk and checked.

    None is the checkout's own models/digits where that exists, else the registry's champion.
    Raises UserError when nothing has that name, or when anything about the files is wrong.
    """
    if reference is None:
        own = _own_output()
        return resolve(str(own) if own else "champion")
    path = Path(reference)
    if not path.exists() and reference.startswith((".", "/")):  # no version or revision does
        raise UserError(f"{reference}: no such file or folder; name the folder of a model")
    if not path.exists():
        from digits.registry import published_model  # 2 s: MLflow

        return published_model.resolve_published(reference)
    folder = path if path.is_dir() else path.parent
    return ResolvedModel(reference, folder, model_integrity.check_model(folder))


def _own_output() -> Path | None:
    try:
        folder = workspace.checkout_root() / workspace.MODEL_OUTPUT
    except UserError:
        return None
    return folder if folder.exists() else None
