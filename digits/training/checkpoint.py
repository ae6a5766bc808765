"""The state of unfinished trainings, in .state/checkpoints, outside the outputs of DVC.

A checkpoint is found by the hash of everything that decides the result, so only the same
command finds it. It is not flushed to the disk: the system keeps written pages when a process is
killed, and a file that a power cut truncates fails to load and counts as absent.
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
    """Hash the JSON values that decide the result of a training, and the version of torch."""
    return hashing.json_sha256([*decisive, torch.__version__])


def checkpoint_path(key: str) -> Path:
    """Return the path of the checkpoint with this key."""
    return workspace.checkout_root() / ".state" / "checkpoints" / f"{key[:32]}.pt"


def save(key: str, state: dict[str, Any]) -> None:
    """Keep `state` (tensors, numbers, strings, lists, dicts) until `delete`."""
    path = checkpoint_path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(torch_bytes(state))
    partial.replace(path)


def torch_bytes(state: dict[str, Any]) -> bytes:
    """Return the bytes that `torch.save` writes; equal states give equal bytes.

    Given a path, `torch.save` writes the name of the file into it, and raises RuntimeError when
    the disk is full.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load(key: str) -> dict[str, Any] | None:
    """Return the state that was saved last, or None. Runs no code: weights_only."""
    try:
        state: dict[str, Any] = torch.load(checkpoint_path(key), "cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return state


def delete(key: str) -> None:
    """Remove the checkpoint, and all that were not used for STALE_DAYS."""
    checkpoint_path(key).unlink(missing_ok=True)
    for path in checkpoint_path(key).parent.glob("*"):
        if time.time() - path.stat().st_mtime > STALE_DAYS * 86400:
            path.unlink(missing_ok=True)
