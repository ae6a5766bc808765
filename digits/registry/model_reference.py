"""Which model a person means: the one grammar of every command that reads a model.

A reference is tried as a path, then as a registered version (alias, number or run id, see
`version_lookup`), then as a git revision (see `published_model`). Nothing here imports MLflow
or DVC: a folder resolves fast, and so does a name about which the registry answered lately.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from digits.inference import checkout_model, model_integrity
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
    if reference is None:
        return _default_model(max_age)
    may_be_known = max_age and not os.path.exists(reference)  # noqa: PTH110
    answer = _last_answer(reference) if may_be_known else None
    if answer and answer.is_recent(max_age):
        text = f"{reference} is {answer.model.name} as of {answer.moment}"
        store_uri.warn_once(f"{text}; --fresh, or max_age=0, asks again")
        return answer.model
    asked = time.time()
    found = look_up(reference)
    if isinstance(found, ResolvedModel):
        return found
    from digits.registry import published_model  # MLflow is loaded already

    model = published_model.download(found)
    with suppress(OSError):  # such as a read-only checkout: the registry is asked again
        record = {"name": found.name, "number": found.number, "content": found.content_sha256}
        record |= {"asked": asked, "parameters": _parameters(), "about": model.description}
        atomic_files.write_json(_answer_file(reference), record)
    return model


def look_up(reference: str) -> "ResolvedModel | RegisteredVersion":
    """Find what `reference` names; of a version, the files are neither downloaded nor checked.

    While a server does not answer, its last answer stands in, and stderr says so. Raises
    VersionNotFoundError or StoreUnavailableError when nothing has that name, and UserError when
    the files of a folder or of a git revision are wrong.
    """
    path = Path(reference)
    if os.path.exists(path):  # noqa: PTH110  # False for a name that is too long, too
        folder = path if path.is_dir() else path.parent
        manifest = model_integrity.check_model(folder)
        description = checkout_model.describe_content(manifest["content_sha256"])
        return ResolvedModel(reference, folder, manifest, description=description)
    near = workspace.similar_path(path)
    if near is not None or reference.startswith((".", "/")):  # no version or revision does
        hint = "name the folder of a model" if near is None else f"did you mean {str(near)!r}?"
        raise UserError(f"{reference}: no such file or folder; {hint}")
    from digits.registry import published_model, version_lookup  # 2 s: MLflow
    from digits.tracking.tracking_store import StoreUnavailableError

    try:
        return version_lookup.find_version(reference)
    except StoreUnavailableError as error:
        answer = _last_answer(reference) if store_uri.configured_uri() else None
        if answer and answer.name == version_lookup.registered_model_name():
            number = answer.model.version
            text = f"{error}; {reference} is version {number} as of {answer.moment}"
            store_uri.warn_once(text)
            return answer.model
        return published_model.find_committed(reference, error)
    except version_lookup.VersionNotFoundError as error:
        return published_model.find_committed(reference, error)


@dataclass(frozen=True)
class _Answer:
    """What the registry answered last: `name` is that of the registered model."""

    model: ResolvedModel
    name: str
    asked: float  # seconds since 1970
    parameters: str

    @property
    def moment(self) -> str:
        """The time for people."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.asked))

    def is_recent(self, max_age: float) -> bool:
        """Whether it is at most `max_age` seconds old and nothing can have changed it here."""
        uri = store_uri.configured_uri() or store_uri.embedded_uri()
        files = [_expiry_file()]
        files += [store_uri.sqlite_file(uri)] if store_uri.uri_scheme(uri) == "sqlite" else []
        changes = [file.stat().st_mtime for file in files if file.exists()]
        now = time.time()
        is_known = self.parameters == _parameters()
        return is_known and max(now - max_age, *changes, 0.0) <= self.asked <= now


def _last_answer(reference: str) -> _Answer | None:
    """Return the registry's last answer; None unless it is known and its model is intact."""
    try:
        record = atomic_files.read_json(_answer_file(reference))
        folder = workspace.state_folder() / "models" / record["content"]
        manifest = model_integrity.check_model(folder, record["content"])
        name, number = str(record["name"]), int(record["number"])
        model = ResolvedModel(f"{name}-{number}", folder, manifest, number, record["about"])
        return _Answer(model, name, float(record["asked"]), str(record["parameters"]))
    except (UserError, LookupError, TypeError, ValueError):
        return None


def _answer_file(reference: str) -> Path:
    registry = store_uri.redact(store_uri.configured_uri() or store_uri.embedded_uri())
    key = hashing.json_sha256([registry, reference])
    return workspace.state_folder() / "answers" / f"{key}.json"


def _parameters() -> str:
    """Return what the registered model's name depends on; reading params.yaml takes longer."""
    root = workspace.find_state_root()
    if root is None or not (root / "params.yaml").exists():
        return os.environ.get(workspace.NAME_VARIABLE, "")
    return hashing.file_sha256(root / "params.yaml")


def _expiry_file() -> Path:
    return workspace.state_folder() / "answers" / "expired"


def expire_answers() -> None:
    """Let the registry be asked again, after a change of its aliases."""
    with suppress(OSError):  # without the folder there are no answers
        _expiry_file().touch()


def _default_model(max_age: float) -> ResolvedModel:
    """Return the checkout's own model, else the champion; stderr says why it is the champion."""
    root, absence = workspace.find_state_root(), checkout_model.explain_absence()
    if root is not None and not absence:
        folder = workspace.checkout_root() / workspace.MODEL_OUTPUT
        return resolve(os.path.relpath(folder))
    try:
        champion = resolve("champion", max_age=max_age)
    except UserError as error:
        from digits.registry.version_lookup import VersionNotFoundError  # loaded already

        if absence and isinstance(error, VersionNotFoundError):
            raise VersionNotFoundError(absence) from error
        if root is None:
            found = "no model is named, and none is here, so the champion was looked for"
            raise type(error)(f"{found}: {error}") from error
        raise
    if absence:
        store_uri.warn_once(f"{absence}; until then the champion answers")
    return champion
