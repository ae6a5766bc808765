"""The state of an unfinished training, kept outside DVC's outputs in .state/.

Keyed by the hash of everything that decides the result, so it is found again by the same
command and by no other. Not flushed to the disk: the system keeps written pages when a
process is killed, and a file torn by a power cut fails to load and counts as absent.
"""

import io
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from digits.project import hashing, workspace

STALE_DAYS = 14


def key(*decisive: object) -> str:
    """The key of a training: a hash of the JSON values that decide its result, and of torch."""
    return hashing.json_sha256([*decisive, torch.__version__])


def checkpoint_path(key: str) -> Path:
    """Where the checkpoint of inputs with hash `key` lies."""
    return workspace.checkout_root() / ".state" / "checkpoints" / f"{key[:32]}.pt"


def save(key: str, state: dict[str, Any]) -> None:
    """Keep `state` (tensors, numbers, strings, lists, dicts) until `drop`."""
    target = checkpoint_path(key)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(torch_bytes(state))
    partial.replace(target)


def torch_bytes(state: dict[str, Any]) -> bytes:
    """The bytes of `torch.save`; equal states give equal bytes.

    Written to a file by its name they would depend on that name, and a full disk would be
    a RuntimeError.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load(key: str) -> dict[str, Any] | None:
    """The state that was saved last, or None. Runs no code: weights_only."""
    try:
        state: dict[str, Any] = torch.load(
            checkpoint_path(key), map_location="cpu", weights_only=True
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return state


def delete(key: str) -> None:
    """Remove the checkpoint, and those that nobody came back for."""
    checkpoint_path(key).unlink(missing_ok=True)
    for other in checkpoint_path(key).parent.glob("*"):
        if time.time() - other.stat().st_mtime > STALE_DAYS * 86400:
            other.unlink(missing_ok=True)
