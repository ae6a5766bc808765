"""TODO"""

from pathlib import Path

from digits.project.errors import UserError

MODEL_OUTPUT = "models/digits"  # the output of dvc.yaml that is the model


def checkout_root() -> Path:
    """The checkout this process works in: the nearest folder upward with a dvc.yaml.

    Raises UserError when there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"no dvc.yaml in {here} or above; run this in the project's folder")


def state_root() -> Path:
    """The checkout that owns the stores.

    `dvc exp run --temp` and `--queue` work in copies below `.dvc/tmp/exps/` of the
    original checkout; for these the original is returned, otherwise `workspace()`.
    """
    folder = checkout_root()
    original, marker, _ = str(folder).partition("/.dvc/tmp/exps/")
    return Path(original) if marker else folder
