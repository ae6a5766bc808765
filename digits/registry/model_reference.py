"""Which model a person means: the one grammar of every command that reads a model.

A reference is tried as a path, then as a registered version (alias, number or run id, see
`version_lookup`), then as a git revision (see `published_model`). Nothing here imports MLflow
or DVC: a folder resolves fast.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from digits.inference import model_integrity
from digits.inference.model_integrity import ResolvedModel
from digits.project import atomic_files, hashing, workspace
from digits.project.errors import UserError
from digits.tracking import store_uri

if TYPE_CHECKING:
    from digits.registry.model_version import RegisteredVersion


MAX_AGE_SECONDS = 3600.0  # of the registry's answer, where it need not be the newest


def resolve(reference: str | None, *, max_age: float = 0.0) -> ResolvedModel:
    """Return the model that `reference` names, its files on this disk and checked.

    None is the checkout's own models/digits where that exists, else the registry's champion.
    The registry is not asked, and stderr says so, when it answered less than `max_age` seconds
    ago. Raises UserError when nothing has that name, or when anything about the files is wrong.
    """
    reference = _default_reference() if reference is None else reference
    if max_age and not Path(reference).exists() and (recent := _recent_answer(reference, max_age)):
        return recent
    asked = time.time()
    model = look_up(reference)
    if isinstance(model, ResolvedModel):
        return model
    from digits.registry import published_model  # MLflow is loaded already

    resolved = published_model.download(model, reference)
    answer = {"name": resolved.name, "number": resolved.version, "asked": asked}
    with suppress(OSError):  # such as a read-only checkout: the registry is asked again
        content = {"content": resolved.content_sha256}
        atomic_files.write_json(_answer_file(reference), answer | content)
    return resolved


def _recent_answer(reference: str, max_age: float) -> ResolvedModel | None:
    """Return the model of the registry's last answer; None unless it is recent and intact.

    An SQLite store that was written since then may have another answer.
    """
    try:
        answer = atomic_files.read_json(_answer_file(reference))
        name, number, asked = answer["name"], int(answer["number"]), float(answer["asked"])
        uri = store_uri.configured_uri() or store_uri.embedded_uri()
        is_file = store_uri.uri_scheme(uri) == "sqlite"
        changed = store_uri.sqlite_file(uri).stat().st_mtime if is_file else 0.0
        if not max(changed, time.time() - max_age) <= asked <= time.time():
            return None
        folder = workspace.state_folder() / "models" / answer["content"]
        manifest = model_integrity.check_model(folder, answer["content"])
    except (UserError, OSError, LookupError, TypeError, ValueError):
        return None
    moment = time.strftime("%H:%M", time.localtime(asked))
    store_uri.warn_once(f"{reference} is {name}, as known since {moment}; --fresh asks again")
    return ResolvedModel(name, folder, manifest, number)


def _answer_file(reference: str) -> Path:
    """Return where the registry's last answer about `reference` is kept.

    The name of the registered model is in params.yaml; parsing that would take too long here.
    """
    registry = store_uri.redact(store_uri.configured_uri() or "")
    root = workspace.find_state_root()
    variable = os.environ.get(workspace.NAME_VARIABLE, "")
    name = hashing.file_sha256(root / "params.yaml") if root else variable
    key = hashing.json_sha256([registry, name, reference])
    return workspace.state_folder() / "answers" / f"{key}.json"


def forget_answers() -> None:
    """Let the registry be asked again, after a change of its aliases."""
    for path in (workspace.state_folder() / "answers").glob("*.json"):
        path.unlink(missing_ok=True)


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
