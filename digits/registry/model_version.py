"""One registered version of a model: its number, aliases, tags and store."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digits.inference.checkout_model import describe_version
from digits.tracking import run_context
from digits.tracking.tracking_store import TrackingStore, found_or_none

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CONTENT_TAG = "content_sha256"
DVC_TAG = "dvc.md5"  # of the model's folder, by which DVC names it in cache and remotes
REMOVED_TAG = "files.removed"  # tells when, by whom and why its files were removed
RUN_TAG_PREFIX = "run."  # and the id of a run that made these bytes
UNSENT_TAG = "outbox.unsent"  # "true" on what release 0.1.0 kept in the embedded store for a server


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a registered model, and the store it is in."""

    store: TrackingStore
    name: str
    number: int
    aliases: tuple[str, ...]
    created: datetime
    run_id: str
    content_sha256: str
    tags: Mapping[str, str]

    @property
    def commit(self) -> str:
        """The git commit it was trained from, "no commit" or "unknown"."""
        return self.tags.get("git.commit", "unknown")

    def metric(self, tag: str) -> float | None:
        """Return a number such as its test_accuracy; None when it was registered without it."""
        with suppress(ValueError):  # a person has written something else there
            return float(self.tags[tag]) if tag in self.tags else None
        return None

    def percentage(self, tag: str) -> str:
        """Return a metric as tables show it; "" when it was registered without it."""
        share = self.metric(tag)
        return "" if share is None else f"{share:.2%}"

    @property
    def description(self) -> str:
        """Its number, aliases and accuracy in a few words."""
        return describe_version(self.number, self.aliases, self.metric("test_accuracy"))

    @classmethod
    def from_mlflow(
        cls, store: TrackingStore, version: "ModelVersion", aliases: Mapping[str, str] | None = None
    ) -> "RegisteredVersion":
        """Convert a version that MLflow returned.

        A search leaves out its aliases: then `aliases` are those of the registered model.
        """
        number, tags = int(version.version), run_context.unfold_tags(version.tags)
        own = (
            version.aliases
            if aliases is None
            else [a for a in aliases if int(aliases[a]) == number]
        )
        created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
        run_id, content, own = version.run_id or "", tags.get(CONTENT_TAG, ""), tuple(sorted(own))
        return cls(store, version.name, number, own, created, run_id, content, tags)


def find_registered_model(store: TrackingStore, name: str) -> "RegisteredModel | None":
    """Find a registered model with its tags and aliases; None where there is none."""
    return found_or_none(lambda: store.client.get_registered_model(name))
