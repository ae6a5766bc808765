"""Find the folder of the project: the checkout, and the one that owns `.state` and the stores."""

from pathlib import Path

from digits.project.errors import UserError

MODEL_OUTPUT = "models/digits"  # the output of dvc.yaml that is the model


def checkout_root() -> Path:
    """The checkout that this process works in: the nearest folder upwards with a dvc.yaml.

    Raises UserError when there is none.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"no dvc.yaml in {Path.cwd()} or above; run this in the project's folder")


def state_root() -> Path:
    """The checkout that owns the stores, usually `checkout_root()`.

    `dvc exp run --temp` and `--queue` work in copies below `.dvc/tmp/exps/` of the original
    checkout; for such a copy the original is returned.
    """
    return Path(str(checkout_root()).partition("/.dvc/tmp/exps/")[0])
