"""What a table of versions shows, and what a promotion is decided on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digits.tracking.tracking_store import TrackingStore, found_or_none

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel


CONTENT_TAG = "content_sha256"
DVC_TAG = "dvc.md5"  # of the model's folder, by which DVC names it in cache and remotes
UNSENT_TAG = "outbox.unsent"  # "true" on what version 1 kept in the embedded store for a server


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
        """Such as its test_accuracy; None when it was not registered with it."""
        return float(self.tags[tag]) if tag in self.tags else None

    @classmethod
    def of(
        cls, store: TrackingStore, found: "ModelVersion", aliases: Sequence[str] = ()
    ) -> "RegisteredVersion":
        """A version as MLflow returned it; a search leaves out its `aliases`."""
        return cls(
            store=store,
            name=found.name,
            number=int(found.version),
            aliases=tuple(sorted(aliases or found.aliases)),
            created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            run_id=found.run_id or "",
            content_sha256=found.tags.get(CONTENT_TAG, ""),
            tags=dict(found.tags),
        )


def find_registered_model(store: TrackingStore, name: str) -> "RegisteredModel | None":
    """A registered model with its tags and aliases; None where there is none."""
    return found_or_none(lambda: store.client.get_registered_model(name))
