"""Remove the files of a registered version but keep its entry; restore the files.

The version, its numbers and its logged model stay, so the past stays readable. MLflow's own
way, `delete_logged_model` and then `mlflow gc`, does not ask the registry: it would take the
files of a champion, too, and the numbers with them. Which versions lose their files is in
`pruning`.
"""

from pathlib import Path

from digits.project.errors import UserError
from digits.registry.model_version import REMOVED_TAG, RegisteredVersion


def check_not_removed(version: RegisteredVersion) -> None:
    """Raise UserError when the files of `version` were removed, telling when and by whom."""
    note = version.tags.get(REMOVED_TAG)
    if note is not None:
        found = f"version {version.number} has no files: {note}"
        raise UserError(f"{found}; `digits versions` lists those that have")


def logged_model_id(version: RegisteredVersion) -> str | None:
    """Return the logged model behind a version; None when this project did not make it."""
    source = str(version.store.client.get_model_version(version.name, str(version.number)).source)
    model = source.removeprefix("models:/")
    return model if source != model and model.startswith("m-") and "/" not in model else None


def has_shared_files(version: RegisteredVersion, model: str) -> bool:
    """Whether another version, of whatever registered model, has the same files."""
    return len(version.store.client.search_model_versions(f"source_path = 'models:/{model}'")) > 1


def remove_files(version: RegisteredVersion, model: str, note: str) -> bool:
    """Remove the files; return False, with nothing removed, when the version has an alias by now.

    The tag comes first: a version whose files are half removed says so.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client, number, uri = version.store.client, str(version.number), _locate_files(version, model)
    client.set_model_version_tag(version.name, number, REMOVED_TAG, note)
    if client.get_model_version(version.name, number).aliases:
        client.delete_model_version_tag(version.name, number, REMOVED_TAG)
        return False
    get_artifact_repository(uri, version.store.uri, version.store.uri).delete_artifacts()
    return True


def restore_files(version: RegisteredVersion, packed: Path) -> None:
    """Upload a packed model, whose bytes are those of `version`, to its logged model again."""
    model = logged_model_id(version)
    assert model is not None  # only what this project made is ever removed
    version.store.client.log_model_artifacts(model, str(packed))
    version.store.client.delete_model_version_tag(version.name, str(version.number), REMOVED_TAG)


def _locate_files(version: RegisteredVersion, model: str) -> str:
    """Return where the files are. UserError unless that is this model's own folder.

    Somebody may have changed the address in the registry, and what is there gets deleted.
    """
    uri = str(version.store.client.get_logged_model(model).artifact_location).rstrip("/")
    if not uri.endswith(f"/models/{model}/artifacts"):
        found = f"the files of version {version.number} are said to be in {uri}"
        raise UserError(f"{found}, which is no folder of that model; nothing was removed")
    return uri
