"""What is known of a model: where it comes from and how good it is."""

from pathlib import Path
from typing import Any

from stages.lib import files


def about(folder: Path, reference: str | None) -> dict[str, Any]:
    """What the model's page shows; JSON alone.

    `reference` is what the registry calls it, None for a folder. May take seconds.
    """
    return {"reference": reference, "manifest": files.read_json(folder / files.MANIFEST)}
