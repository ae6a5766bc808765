"""A registered version's files on this disk, verified, whatever the registry sent.

Copies are kept in .state/models/<content hash>, so each model comes once.
"""

import os
import re
import time
from pathlib import Path

import yaml

from digits.inference import model_integrity, model_manifest
from digits.inference.model_integrity import Manifest
from digits.project import atomic_files, dvc_storage, hashing, process_locks, workspace
from digits.project.errors import UserError
from digits.registry import artifact_removal, registration, version_lookup
from digits.registry.model_version import RegisteredVersion
from digits.registry.registration import RUN_TAG_PREFIX
from digits.tracking import logged_model, run_lookup, store_uri, tracking_store
from digits.tracking.tracking_store import StoreUnavailableError

SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
MLMODEL_FILE = "MLmodel"  # what MLflow's own loader goes by
# What else MLflow puts beside our files. None of it is fetched.
MLFLOW_FILES = {
    "conda.yaml",
    "input_example.json",
    "python_env.yaml",
    "registered_model_meta",
    "requirements.txt",
    "serving_input_example.json",
}


def download_reference(reference: str) -> tuple[Path, int]:
    """A verified copy of the version that `reference` means, and the version's number.

    `reference` is an alias, a number or a run's id. Works without the registry for what was
    fetched here before, telling so on stderr. Raises UserError when there is no such version,
    or when anything about its files is wrong; then nothing is kept.
    """
    try:
        version = version_lookup.find_version(reference)
    except StoreUnavailableError as error:
        return _last_meaning(reference, error)
    folder = download_to_cache(version)
    if not version.store.embedded:  # that one is never away
        seen = {"content": version.content_sha256, "number": version.number}
        atomic_files.write_json(
            _last_meaning_file(reference), seen | {"seen": time.strftime("%Y-%m-%d %H:%M")}
        )
    return folder, version.number


def _last_meaning_file(reference: str) -> Path:
    """The file that says what `reference` meant last in the configured registry."""
    registered = [
        store_uri.redact(store_uri.configured_uri() or ""),
        version_lookup.registered_model_name(),
        reference,
    ]
    return workspace.state_root() / ".state" / "models" / f"{hashing.json_sha256(registered)}.json"


def _last_meaning(reference: str, error: StoreUnavailableError) -> tuple[Path, int]:
    """What `reference` meant last. Raises `error` unless that is known, and here."""
    try:
        known = atomic_files.read_json(_last_meaning_file(reference))
        folder = cached_folder(str(known["content"]))
        model_integrity.check_model(folder, str(known["content"]))
    except UserError:
        raise error from None
    store_uri.warn_once(f"{error}; {reference} is version {known['number']} as of {known['seen']}")
    return folder, int(known["number"])


def cached_folder(content: str) -> Path:
    """Where the copy of the model with this content hash lies."""
    return workspace.state_root() / ".state" / "models" / content


def download_to_cache(version: RegisteredVersion) -> Path:
    """The copy of `version`, fetched where it is missing or damaged."""
    check_is_first_version(version)
    folder = cached_folder(version.content_sha256)
    with process_locks.process_lock("models"):
        if not model_integrity.is_intact(folder, version.content_sha256):
            with (
                atomic_files.atomic_folder(folder) as partial,
                tracking_store.translate_errors(version.store),
            ):
                download_version(version, partial)
    return folder


def check_is_first_version(version: RegisteredVersion) -> None:
    """Raise UserError unless `version` is the first one with a content hash, this one.

    Equal files are registered once, so a second version of them is an old model that
    somebody put under a new number.
    """
    if not SHA256_PATTERN.fullmatch(version.content_sha256):
        raise UserError(_changed_message(version, "it carries no SHA-256 of its files"))
    with tracking_store.translate_errors(version.store):
        first = registration.find_by_content(version.store, version.name, version.content_sha256)
    if first is not None and first.number != version.number:
        raise UserError(_changed_message(version, f"its files are those of version {first.number}"))


def download_version(version: RegisteredVersion, folder: Path) -> None:
    """Fetch the files of `version` into the empty `folder` and check them.

    The manifest comes first, so that nothing large is fetched in vain. Raises UserError for
    anything missing, extra or different from what was registered, and after a prune.
    """
    artifact_removal.check_not_removed(version)
    place = _artifact_uri(version)
    sizes = _list_sizes(version, place)
    if (sizes[model_manifest.MANIFEST] or 0) > model_manifest.MAX_MANIFEST_BYTES:
        raise UserError(
            _changed_message(
                version, f"{model_manifest.MANIFEST} has {sizes[model_manifest.MANIFEST]:,} bytes"
            )
        )
    _download_file(version, f"{place}/{model_manifest.MANIFEST}", folder)
    listed = model_manifest.load_manifest(folder / model_manifest.MANIFEST, version.content_sha256)[
        "files"
    ]
    for name in (model_integrity.WEIGHTS, model_integrity.ONNX):
        if sizes[name] not in {None, listed.get(name, {}).get("size")}:
            raise UserError(_changed_message(version, f"{name} has {sizes[name]} bytes"))
        _download_file(version, f"{place}/{name}", folder)
    _check_run(version, model_integrity.check_model(folder, version.content_sha256))


def _download_file(version: RegisteredVersion, uri: str, folder: Path) -> None:
    """Fetch one file. Raises UserError when this disk takes no more."""
    try:
        logged_model.download_artifact(version.store, uri, folder)
    except Exception as error:  # MLflow tells of a full disk in the text of its own exception
        number = re.search(r"\[Errno (\d+)\]", str(error))
        if number is None or int(number[1]) not in dvc_storage.DISK_FULL_ERRORS:
            raise
        found = f"cannot write {folder.parent}: {os.strerror(int(number[1]))}"
        raise UserError(f"{found}; make room, then run the same command again") from error


def _list_sizes(version: RegisteredVersion, place: str) -> dict[str, int | None]:
    """The sizes of the model's files in the registry. UserError for a missing or an extra one."""
    from mlflow.artifacts import list_artifacts

    found = list_artifacts(artifact_uri=place, tracking_uri=version.store.uri)
    sizes = {entry.path.rpartition("/")[2]: entry.file_size for entry in found if not entry.is_dir}
    folders = [entry.path for entry in found if entry.is_dir]
    expected = model_integrity.MODEL_FILES | {MLMODEL_FILE}
    for name in [*sorted((sizes.keys() - MLFLOW_FILES) ^ expected), *folders]:
        state = "is missing" if name in expected else "does not belong there"
        raise UserError(_changed_message(version, f"{name} {state}"))
    return sizes


def check_mlmodel_file(version: RegisteredVersion, folder: Path) -> None:
    """Raise UserError when MLflow's own loader would do more than load an ONNX file.

    `mlflow models serve` imports the module that its description of the model names.
    """
    text = logged_model.download_artifact(
        version.store, f"{_artifact_uri(version)}/{MLMODEL_FILE}", folder
    ).read_bytes()
    try:
        flavors = yaml.safe_load(text)["flavors"]
        function = flavors["python_function"]
        loader, code = function["loader_module"], function.get("code")
        plain = loader == "mlflow.onnx" and not code and len(flavors) == 2 and "onnx" in flavors
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        plain = False
    if not plain:
        raise UserError(_changed_message(version, f"{MLMODEL_FILE} loads more than an ONNX file"))


def _artifact_uri(version: RegisteredVersion) -> str:
    """Where the registry says that the files of a version are."""
    client = version.store.client
    return str(client.get_model_version_download_uri(version.name, str(version.number)))


def _check_run(version: RegisteredVersion, manifest: Manifest) -> None:
    """The manifest's run is the one thing in it that no hash covers: ask the registry."""
    run_id = str(manifest["run_id"])
    if f"{RUN_TAG_PREFIX}{run_id}" in version.tags:
        return
    copy = run_lookup.find_in_store(version.store, run_id)
    if copy is None or f"{RUN_TAG_PREFIX}{copy.run_id}" not in version.tags:
        raise UserError(_changed_message(version, f"its manifest names the run {run_id[:32]!r}"))


def _changed_message(version: RegisteredVersion, found: str) -> str:
    return f"version {version.number} in {version.store} was changed: {found}; do not use it"
