"""What a table of versions shows, and what a promotion is decided on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stages.lib.tracking.store import Store, present

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CONTENT = "content_sha256"
DVC_OID = "dvc.md5"  # of the model's folder, by which DVC names it in cache and remotes
UNSENT = "outbox.unsent"  # "true" on what version 1 kept in the embedded store for a server


@dataclass(frozen=True)
class Version:
    """One version of a registered model, and the store it is in."""

    store: Store
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

    def share(self, tag: str) -> float | None:
        """Such as its test_accuracy; None when it was not registered with it."""
        return float(self.tags[tag]) if tag in self.tags else None

    @classmethod
    def of(cls, store: Store, found: "ModelVersion", aliases: Sequence[str] = ()) -> "Version":
        """A version as MLflow returned it; a search leaves out its `aliases`."""
        return cls(
            store=store,
            name=found.name,
            number=int(found.version),
            aliases=tuple(sorted(aliases or found.aliases)),
            created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            run_id=found.run_id or "",
            content_sha256=found.tags.get(CONTENT, ""),
            tags=dict(found.tags),
        )


def registered(store: Store, name: str) -> "RegisteredModel | None":
    """A registered model with its tags and aliases; None where there is none."""
    return present(lambda: store.client.get_registered_model(name))
