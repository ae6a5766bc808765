"""A registered version's files on this disk, verified, whatever the registry sent.

Copies are kept in .state/models/<content hash>, so each model comes once.
"""

import os
import re
import time
from pathlib import Path

import yaml

from stages.lib import files, integrity, tracked
from stages.lib.errors import UserError
from stages.lib.tracking import address, find, logged_model, registry, removal, resolve, store
from stages.lib.tracking.registry import MADE_BY
from stages.lib.tracking.store import OutageError
from stages.lib.tracking.version import Version

SHA256 = re.compile(r"[0-9a-f]{64}")
WRAPPER = "MLmodel"  # what MLflow's own loader goes by
# What else MLflow puts beside our files. None of it is fetched.
BESIDE = {
    "conda.yaml",
    "input_example.json",
    "python_env.yaml",
    "registered_model_meta",
    "requirements.txt",
    "serving_input_example.json",
}


def fetch(reference: str) -> tuple[Path, int]:
    """A verified copy of the version that `reference` means, and the version's number.

    `reference` is an alias, a number or a run's id. Works without the registry for what was
    fetched here before, telling so on stderr. Raises UserError when there is no such version,
    or when anything about its files is wrong; then nothing is kept.
    """
    try:
        version = resolve.version(reference)
    except OutageError as error:
        return _last(reference, error)
    folder = fetched(version)
    if not version.store.embedded:  # that one is never away
        seen = {"content": version.content_sha256, "number": version.number}
        files.write_json(_meaning(reference), seen | {"seen": time.strftime("%Y-%m-%d %H:%M")})
    return folder, version.number


def _meaning(reference: str) -> Path:
    """The file that says what `reference` meant last in the configured registry."""
    registered = [address.redact(address.configured() or ""), resolve.model_name(), reference]
    return files.home() / ".state" / "models" / f"{files.digest(registered)}.json"


def _last(reference: str, error: OutageError) -> tuple[Path, int]:
    """What `reference` meant last. Raises `error` unless that is known, and here."""
    try:
        known = files.read_json(_meaning(reference))
        folder = kept(str(known["content"]))
        integrity.check(folder, str(known["content"]))
    except UserError:
        raise error from None
    address.warn(f"{error}; {reference} is version {known['number']} as of {known['seen']}")
    return folder, int(known["number"])


def kept(content: str) -> Path:
    """Where the copy of the model with this content hash lies."""
    return files.home() / ".state" / "models" / content


def fetched(version: Version) -> Path:
    """The copy of `version`, fetched where it is missing or damaged."""
    check_first(version)
    folder = kept(version.content_sha256)
    with store.lock("models"):
        if not integrity.intact(folder, version.content_sha256):
            with files.replacing_folder(folder) as partial, store.asking(version.store):
                download(version, partial)
    return folder


def check_first(version: Version) -> None:
    """Raise UserError unless `version` is the first one with a content hash, this one.

    Equal files are registered once, so a second version of them is an old model that
    somebody put under a new number.
    """
    if not SHA256.fullmatch(version.content_sha256):
        raise UserError(_wrong(version, "it carries no SHA-256 of its files"))
    with store.asking(version.store):
        first = registry.find_in(version.store, version.name, version.content_sha256)
    if first is not None and first.number != version.number:
        raise UserError(_wrong(version, f"its files are those of version {first.number}"))


def download(version: Version, folder: Path) -> None:
    """Fetch the files of `version` into the empty `folder` and check them.

    The manifest comes first, so that nothing large is fetched in vain. Raises UserError for
    anything missing, extra or different from what was registered, and after a prune.
    """
    removal.check(version)
    place = _place(version)
    sizes = _listed(version, place)
    if (sizes[files.MANIFEST] or 0) > files.LONGEST:
        raise UserError(_wrong(version, f"{files.MANIFEST} has {sizes[files.MANIFEST]:,} bytes"))
    _get(version, f"{place}/{files.MANIFEST}", folder)
    listed = files.manifest(folder / files.MANIFEST, version.content_sha256)["files"]
    for name in (integrity.WEIGHTS, integrity.ONNX):
        if sizes[name] not in {None, listed.get(name, {}).get("size")}:
            raise UserError(_wrong(version, f"{name} has {sizes[name]} bytes"))
        _get(version, f"{place}/{name}", folder)
    _check_run(version, integrity.check(folder, version.content_sha256))


def _get(version: Version, uri: str, folder: Path) -> None:
    """Fetch one file. Raises UserError when this disk takes no more."""
    try:
        logged_model.fetch(version.store, uri, folder)
    except Exception as error:  # MLflow tells of a full disk in the text of its own exception
        number = re.search(r"\[Errno (\d+)\]", str(error))
        if number is None or int(number[1]) not in tracked.FULL:
            raise
        found = f"cannot write {folder.parent}: {os.strerror(int(number[1]))}"
        raise UserError(f"{found}; make room, then run the same command again") from error


def _listed(version: Version, place: str) -> dict[str, int | None]:
    """The sizes of the model's files in the registry. UserError for a missing or an extra one."""
    from mlflow.artifacts import list_artifacts

    found = list_artifacts(artifact_uri=place, tracking_uri=version.store.uri)
    sizes = {entry.path.rpartition("/")[2]: entry.file_size for entry in found if not entry.is_dir}
    folders = [entry.path for entry in found if entry.is_dir]
    expected = integrity.NAMES | {WRAPPER}
    for name in [*sorted((sizes.keys() - BESIDE) ^ expected), *folders]:
        state = "is missing" if name in expected else "does not belong there"
        raise UserError(_wrong(version, f"{name} {state}"))
    return sizes


def check_wrapper(version: Version, folder: Path) -> None:
    """Raise UserError when MLflow's own loader would do more than load an ONNX file.

    `mlflow models serve` imports the module that its description of the model names.
    """
    text = logged_model.fetch(version.store, f"{_place(version)}/{WRAPPER}", folder).read_bytes()
    try:
        flavors = yaml.safe_load(text)["flavors"]
        function = flavors["python_function"]
        loader, code = function["loader_module"], function.get("code")
        plain = loader == "mlflow.onnx" and not code and len(flavors) == 2 and "onnx" in flavors
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        plain = False
    if not plain:
        raise UserError(_wrong(version, f"{WRAPPER} loads more than an ONNX file"))


def _place(version: Version) -> str:
    """Where the registry says that the files of a version are."""
    client = version.store.client
    return str(client.get_model_version_download_uri(version.name, str(version.number)))


def _check_run(version: Version, manifest: integrity.Manifest) -> None:
    """The manifest's run is the one thing in it that no hash covers: ask the registry."""
    run_id = str(manifest["run_id"])
    if f"{MADE_BY}{run_id}" in version.tags:
        return
    copy = find.in_store(version.store, run_id)
    if copy is None or f"{MADE_BY}{copy.run_id}" not in version.tags:
        raise UserError(_wrong(version, f"its manifest names the run {run_id[:32]!r}"))


def _wrong(version: Version, found: str) -> str:
    return f"version {version.number} in {version.store} was changed: {found}; do not use it"
