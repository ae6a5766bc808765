"""Random distortion of images."""

import math

import pytest
import torch

from digits.project.params_schema import AugmentParams
from digits.training.augmentation import augment_images, displacement_basis, is_active

CPU = torch.device("cpu")
STILL = dict.fromkeys(AugmentParams.model_fields, 0)
DISTORTIONS = [name for name in STILL if name != "flagged_ones"]  # see test_synthetic_ones


@pytest.fixture
def blobs():
    """Sixty-four times an upright bar a little right of the middle."""
    images = torch.zeros((64, 28, 28))
    images[:, 6:22, 15:18] = 255
    return images


def changed(images, seed=0, **amounts):
    """Return `images` distorted by `amounts` alone."""
    augment = AugmentParams(**(STILL | amounts))
    generator = torch.Generator().manual_seed(seed)
    return augment_images(images, augment, displacement_basis(28, CPU), generator)


def center(images):
    """Return the center of mass of each image, (n, 2) pixels, x first."""
    sums = [(images.sum(axis) * torch.arange(28.0)).sum(1) for axis in (1, 2)]
    return torch.stack(sums, 1) / images.sum((1, 2))[:, None]


def spread(images):
    """Return the second moments of each image about its center, (n, 2, 2) square pixels."""
    ticks = torch.arange(28.0)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    offsets = torch.stack([x, y]) - center(images)[:, :, None, None]
    weights = images / images.sum((1, 2), keepdim=True)
    return torch.einsum("nayx,nbyx,nyx->nab", offsets, offsets, weights)


def test_amounts_of_zero_change_nothing(blobs):
    """With every amount 0 the images stay equal."""
    assert not is_active(AugmentParams(**STILL))
    torch.testing.assert_close(changed(blobs), blobs, atol=0.01, rtol=0)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_amount_changes_images(blobs, name):
    """No amount is without effect, and each makes `is_active` true."""
    assert is_active(AugmentParams(**(STILL | {name: 0.5})))
    assert not torch.allclose(changed(blobs, **{name: 0.5}), blobs, atol=1)


def test_the_seed_alone_decides(blobs):
    """Equal seeds give equal images, another seed gives others."""
    amounts = {"rotation": 10.0, "shift": 2.0, "elastic": 1.0}
    assert torch.equal(changed(blobs, 3, **amounts), changed(blobs, 3, **amounts))
    assert not torch.equal(changed(blobs, 3, **amounts), changed(blobs, 4, **amounts))


def test_shift_moves_the_center_of_mass(blobs):
    """Images move by up to the amount in both directions and no further."""
    moved = center(changed(blobs, shift=2.0)) - center(blobs)
    assert moved.abs().max() <= 2.01
    assert (moved.amax(0) > 1.5).all()
    assert (moved.amin(0) < -1.5).all()


def test_rotation_turns_without_stretching(blobs):
    """The principal axis turns by up to the angle and keeps its length."""
    turned = spread(changed(blobs, rotation=20.0))
    angle = torch.rad2deg(torch.atan2(2 * turned[:, 0, 1], turned[:, 1, 1] - turned[:, 0, 0]) / 2)
    assert 15 < angle.abs().max() <= 20.5
    lengths = torch.linalg.eigvalsh(turned)[:, 1].sqrt()
    assert (lengths / torch.linalg.eigvalsh(spread(blobs))[:, 1].sqrt() - 1).abs().max() < 0.02


def test_scale_stretches_each_axis_within_its_share(blobs):
    """A bar becomes longer or shorter by up to the share."""
    lengths = spread(changed(blobs, scale=0.2))[:, 1, 1].sqrt()
    ratio = lengths / spread(blobs)[:, 1, 1].sqrt()
    assert 0.8 < ratio.min() < 0.9
    assert 1.1 < ratio.max() < 1.27


def test_gain_changes_the_brightness_within_its_factors():
    """Factors are up to exp of the amount both ways; white is the maximum, black stays black."""
    gray = torch.full((200, 28, 28), 100.0)
    gray[:, :14] = 0
    result = changed(gray, gain=0.5)

    ratio = result[:, 20, 14] / 100
    assert 1 / math.e**0.5 - 0.01 < ratio.min() < 0.65
    assert 1.55 < ratio.max() < math.e**0.5 + 0.01
    assert result[:, :13].max() == 0
    assert changed(2.2 * gray, gain=0.5).max() == 255


def test_elastic_fields_have_the_stated_size():
    """Random fields of the basis have 1 pixel root mean square."""
    fields = displacement_basis(28, CPU)[3:]
    factors = torch.randn((4000, len(fields)), generator=torch.Generator().manual_seed(0))
    pixels = factors @ fields * (28 / 2)
    assert pixels.square().mean().sqrt() == pytest.approx(1, rel=0.03)
