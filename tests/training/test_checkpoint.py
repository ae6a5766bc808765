"""Checkpoints: damaged ones count as absent, stale ones are removed."""

import os
import time

import torch

from digits.training import checkpoint


def test_a_truncated_checkpoint_counts_as_absent(workspace):
    """A file that a power cut truncated is ignored."""
    checkpoint.save("k" * 64, {"epoch": 1, "weights": torch.ones(1000)})
    path = checkpoint.checkpoint_path("k" * 64)
    path.write_bytes(path.read_bytes()[:1000])

    assert checkpoint.load("k" * 64) is None


def test_stale_checkpoints_are_removed(workspace):
    """Deleting a checkpoint also removes those that were not used for two weeks."""
    for name in ("old", "young", "own"):
        checkpoint.save(name, {})
    fortnight = time.time() - 15 * 86400
    os.utime(checkpoint.checkpoint_path("old"), (fortnight, fortnight))

    checkpoint.delete("own")

    assert [p.stem for p in checkpoint.checkpoint_path("own").parent.iterdir()] == ["young"]
