"""What comes before the network when a model predicts."""

import numpy as np
import pytest
import torch
from torch import nn

from digits.project.params_schema import ModelParams
from digits.training import predictor, save_model
from digits.training.networks import build_network, normalize_images
from tests import sealed


@pytest.mark.parametrize("light", ["black", "bright", "sloping", "striped", "faint", "noisy"])
def test_only_the_ink_of_a_glyph_is_left_whatever_its_background(official, light):
    """Light that is added, a stripe that swaps black and white, less contrast, specks."""
    glyphs = torch.from_numpy(official.images[:50]).float().unsqueeze(1) / 255
    slope = torch.linspace(0, 0.7, 28)
    stripe = torch.zeros(28)
    stripe[10:18] = 1
    specks = torch.zeros(1, 1, 28, 28)
    specks[..., 1::5, 2::5] = 1
    changed = {
        "black": glyphs,
        "bright": (glyphs + 0.4).clamp(max=1),
        "sloping": slope + (1 - slope) * glyphs,
        "striped": (stripe - glyphs).abs(),
        "faint": glyphs * 0.3,
        "noisy": torch.maximum(glyphs, specks * (glyphs == 0)),
    }[light]
    removal = predictor.BackgroundRemoval(28)

    restored = (removal(changed * 2 - 1) + 1) / 2
    before, after = ((image - glyphs).abs().mean((1, 2, 3)) for image in (changed, restored))
    assert restored.min() == 0
    assert after.mean() < 0.015 + 0.1 * before.mean()


def test_an_image_of_one_shade_has_no_ink():
    """Black, gray and white."""
    images = torch.tensor([-1.0, 0.1, 1.0]).view(3, 1, 1, 1).expand(3, 1, 16, 16)
    assert torch.equal(predictor.BackgroundRemoval(16)(images), torch.full((3, 1, 16, 16), -1.0))


def test_older_models_keep_the_background(tmp_path):
    """Their description says nothing of it, and their logits are those of the network alone."""
    path = sealed.seal(tmp_path / "m") / "weights.pt"
    saved = torch.load(path, weights_only=True)
    images = np.full((1, 28, 28), 100, np.uint8)
    images[:, 8:20, 12:15] = 200
    del saved["normalisation"]["background"]
    torch.save(saved, tmp_path / "old.pt")

    now, before = (save_model.logits_from_weights(p, images) for p in (path, tmp_path / "old.pt"))
    network = build_network(
        ModelParams.model_validate({**saved["network"], "torchvision": save_model.NOT_USED}), 10
    ).eval()
    network.load_state_dict(saved["weights"])
    with torch.inference_mode():
        alone = network(normalize_images(torch.from_numpy(images))).numpy() / saved["temperature"]
    np.testing.assert_allclose(before, alone, atol=1e-5)
    assert np.abs(now - alone).max() > 0.01


def test_views_average_the_shifted_copies():
    """One view is the network itself; nine are the mean over an image moved by a pixel."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    image = torch.full((1, 1, 28, 28), -1.0)
    image[:, :, 10:18, 10:18] = 1.0

    assert torch.equal(predictor.TestTimeAugmentation(plain, 1)(image), plain(image))
    shifted = [image.roll((y, x), (2, 3)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    mean = torch.stack([plain(shift) for shift in shifted]).mean(0)
    assert torch.allclose(predictor.TestTimeAugmentation(plain, 9)(image), mean, atol=1e-5)
