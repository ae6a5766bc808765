"""Find the project's checkout, and the folders where a process keeps its state.

Outside of a checkout, what a command keeps is in the user's cache folder.
"""

import os
from contextlib import suppress
from pathlib import Path

from digits.project.errors import UserError

NAME_VARIABLE = "DIGITS_MODEL_NAME"  # names the registered model outside of a checkout
MODEL_OUTPUT = "models/digits"  # the output of dvc.yaml that is the model


def checkout_root() -> Path:
    """Return the checkout that this process works in: the nearest folder upwards with a dvc.yaml.

    Raises UserError when there is none.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"no dvc.yaml in {Path.cwd()} or above; run this in a checkout of the project")


def state_root() -> Path:
    """Return the checkout that owns the stores, usually `checkout_root()`.

    `dvc exp run --temp` and `--queue` work in copies below `.dvc/tmp/exps/` of the original
    checkout; for such a copy the original is returned. Raises UserError outside of a checkout.
    """
    return Path(checkout_root().as_posix().partition("/.dvc/tmp/exps/")[0])


def find_state_root() -> Path | None:
    """Return `state_root()`, or None outside of a checkout."""
    try:
        return state_root()
    except UserError:
        return None


def work_folder() -> Path:
    """Return `state_root()`, or outside of a checkout the working directory."""
    return find_state_root() or Path.cwd()


def state_folder() -> Path:
    """Return the folder for locks and downloaded models: `.state`, or else the user's cache.

    The second outside of a checkout, and in one that cannot be written. Raises UserError when it
    is needed and the user has no home folder.
    """
    root = find_state_root()
    if root is not None:
        folder = root / ".state"
        if os.access(folder if folder.exists() else root, os.W_OK):
            return folder
    folder = user_cache()
    if not folder.is_absolute():
        raise UserError("there is no home folder to keep models in; set XDG_CACHE_HOME to a folder")
    return folder


def user_cache() -> Path:
    """Return this project's folder in the user's cache; a relative path without a home folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache, "digits")


def similar_path(path: Path) -> Path | None:
    """Return the existing path with the most similar name; None if a part of it has none.

    Only a path of several parts is looked at: a single word may be another kind of name.
    """
    import difflib  # seldom needed

    found = Path(path.anchor)
    parts = path.relative_to(found).parts
    for part in parts:
        names = [".."]
        with suppress(OSError):  # no folder, or one that may not be read
            names += os.listdir(found)  # noqa: PTH208
        near = [part] if part in names else difflib.get_close_matches(part, names, 1, 0.7)
        if not near:
            return None
        found /= near[0]
    return found if len(parts) > 1 else None
