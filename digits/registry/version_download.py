"""Download a registered version, and check every file: the registry is not trusted.

`download_to_cache` keeps a copy in .state/models/<content hash>, so that each model is
downloaded once; `download_to_folder` always downloads. What a reference names is in
`model_reference`.
"""

import os
import re
from pathlib import Path

from digits.inference import model_integrity, model_manifest
from digits.inference.model_manifest import MANIFEST, MAX_MANIFEST_BYTES
from digits.project import atomic_files, dvc_storage, process_locks, workspace
from digits.project.errors import DiskError, UserError, describe_os_error
from digits.registry import artifact_removal, registration
from digits.registry.model_version import RUN_TAG_PREFIX, RegisteredVersion
from digits.tracking import logged_model, run_lookup, tracking_store
from digits.tracking.tracking_store import translate_errors

SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
MLMODEL_FILE = "MLmodel"  # what MLflow's own loader goes by
# What else MLflow puts beside our files. None of it is downloaded.
ENVIRONMENT_FILES = {"conda.yaml", "python_env.yaml", "requirements.txt"}
EXAMPLE_FILES = {"input_example.json", "serving_input_example.json"}
MLFLOW_FILES = {"registered_model_meta", *ENVIRONMENT_FILES, *EXAMPLE_FILES}
CARD_FILE = "model-card.html"  # for people: nothing reads it, so it is not downloaded either


def cached_folder(content: str) -> Path:
    """Return the folder of the cached model with this content hash."""
    return workspace.state_folder() / "models" / content


def download_to_cache(version: RegisteredVersion) -> Path:
    """Return the cached copy of `version`, downloaded where it is missing or damaged."""
    check_is_first_version(version)
    folder = cached_folder(version.content_sha256)
    with process_locks.process_lock("models"):
        if not model_integrity.is_intact(folder, version.content_sha256):
            with atomic_files.atomic_folder(folder) as partial, translate_errors(version.store):
                download_to_folder(version, partial)
    return folder


def check_is_first_version(version: RegisteredVersion) -> None:
    """Raise UserError unless `version` has a content hash that no earlier version has.

    Equal files are registered once, so a second version of them is an old model that
    somebody put under a new number.
    """
    if not SHA256_PATTERN.fullmatch(version.content_sha256):
        raise _changed(version, "it carries no SHA-256 of its files")
    with translate_errors(version.store):
        first = registration.find_by_content(version.store, version.name, version.content_sha256)
    if first is not None and first.number != version.number:
        raise _changed(version, f"its files are those of version {first.number}")


def download_to_folder(version: RegisteredVersion, folder: Path) -> None:
    """Download the files of `version` into the empty `folder` and check them.

    The manifest comes first, so that nothing large is downloaded in vain. Raises UserError for
    anything missing, extra or different from what was registered, and after a prune.
    """
    artifact_removal.check_not_removed(version)
    uri, content = _artifact_uri(version), version.content_sha256
    sizes = _check_file_list(version, uri)
    if (sizes[MANIFEST] or 0) > MAX_MANIFEST_BYTES:
        raise _changed(version, f"{MANIFEST} has {sizes[MANIFEST]:,} bytes")
    _download_file(version, f"{uri}/{MANIFEST}", folder)
    listed = model_manifest.load_manifest(folder / MANIFEST, content)["files"]
    for name in (model_integrity.WEIGHTS, model_integrity.ONNX):
        if sizes[name] not in {None, listed.get(name, {}).get("size")}:
            raise _changed(version, f"{name} has {sizes[name]} bytes")
        _download_file(version, f"{uri}/{name}", folder)
    _check_run(version, model_integrity.check_model(folder, content))


def _download_file(version: RegisteredVersion, uri: str, folder: Path) -> Path:
    """Download one file; return its path. Raises DiskError when this disk takes no more."""
    try:
        return logged_model.download_artifact(version.store, uri, folder)
    except Exception as error:  # MLflow tells of a full disk in the text of its own exception
        number = re.search(r"\[Errno (\d+)\]", str(error))
        if number is None or int(number[1]) not in dvc_storage.DISK_FULL_ERRORS:
            raise
        reason = OSError(int(number[1]), os.strerror(int(number[1])), str(folder.parent))
        raise DiskError(describe_os_error(reason)) from error


def _check_file_list(version: RegisteredVersion, uri: str) -> dict[str, int | None]:
    """Return the sizes of the files in the registry. UserError for a missing or an extra one."""
    from mlflow.artifacts import list_artifacts

    files = list_artifacts(artifact_uri=uri, tracking_uri=version.store.uri)
    sizes = {file.path.rpartition("/")[2]: file.file_size for file in files if not file.is_dir}
    folders = [file.path for file in files if file.is_dir]
    expected = model_integrity.MODEL_FILES | {MLMODEL_FILE}
    for name in [*sorted((sizes.keys() - MLFLOW_FILES - {CARD_FILE}) ^ expected), *folders]:
        state = "is missing" if name in expected else "does not belong there"
        raise _changed(version, f"{name} {state}")
    return sizes


def check_mlmodel_file(version: RegisteredVersion, folder: Path) -> None:
    """Raise UserError when MLflow's own loader would do more than load an ONNX file.

    `mlflow models serve` imports the module that the file MLmodel names.
    """
    import yaml

    uri = f"{_artifact_uri(version)}/{MLMODEL_FILE}"
    text = _download_file(version, uri, folder).read_bytes()
    try:
        flavors = yaml.safe_load(text)["flavors"]
        function = flavors["python_function"]
        loader, code = function["loader_module"], function.get("code")
        plain = loader == "mlflow.onnx" and not code and len(flavors) == 2 and "onnx" in flavors
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        plain = False
    if not plain:
        raise _changed(version, f"{MLMODEL_FILE} loads more than an ONNX file")


def _artifact_uri(version: RegisteredVersion) -> str:
    """Return where the registry says that the files of a version are."""
    client = version.store.client
    uri = str(client.get_model_version_download_uri(version.name, str(version.number)))
    return tracking_store.locate_artifacts(version.store, uri)


def _check_run(version: RegisteredVersion, manifest: model_integrity.Manifest) -> None:
    """Raise UserError unless the registry knows the manifest's run, which no hash covers."""
    run_id = str(manifest["run_id"])
    if f"{RUN_TAG_PREFIX}{run_id}" in version.tags:
        return
    copy = run_lookup.find_in_store(version.store, run_id)
    if copy is None or f"{RUN_TAG_PREFIX}{copy.run_id}" not in version.tags:
        raise _changed(version, f"its manifest names the run {run_id[:32]!r}")


def _changed(v: RegisteredVersion, what: str) -> UserError:
    return UserError(f"version {v.number} in {v.store} was changed: {what}; do not use it")
