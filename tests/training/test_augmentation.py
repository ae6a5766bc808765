"""Random distortion of images."""

import math

import pytest
import torch

from digits.project.params_schema import AugmentParams
from digits.training.augmentation import augment_images, displacement_basis, is_active

CPU = torch.device("cpu")
STILL = dict.fromkeys(AugmentParams.model_fields, 0)
OTHERS = {"flagged_ones", "saturation"}  # see test_synthetic_ones; only colors have the second
DISTORTIONS = [name for name in STILL if name not in OTHERS]


@pytest.fixture
def blobs():
    """Sixty-four times an upright bar a little right of the middle."""
    images = torch.zeros((64, 28, 28))
    images[:, 6:22, 15:18] = 255
    return images


def changed(images, seed=0, has_background=True, **amounts):
    """Return `images` distorted by `amounts` alone."""
    augment = AugmentParams(**(STILL | amounts))
    generator, basis = torch.Generator().manual_seed(seed), displacement_basis(28, CPU)
    return augment_images(images, augment, basis, generator, has_background=has_background)


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


def test_flip_mirrors_a_share_of_the_images(blobs):
    """About a third of the images are mirrored, the others unchanged, gray or in color."""
    for images in (blobs, blobs[..., None].repeat(1, 1, 1, 3)):
        flipped = changed(images, flip=0.3)
        assert flipped.shape == images.shape
        mirrored = (flipped - images.flip(2)).abs().flatten(1).amax(1) < 0.01
        same = (flipped - images).abs().flatten(1).amax(1) < 0.01
        assert (mirrored ^ same).all()
        assert 10 <= mirrored.sum() <= 30
    assert (changed(blobs, flip=1.0) - blobs.flip(2)).abs().max() < 0.01


def test_erase_covers_a_square(blobs):
    """Of white images a square turns black, or neutral where images have no background."""
    white = torch.full((64, 28, 28, 3), 255.0)
    for has_background, ground in ((True, 0), (False, 128)):
        erased = changed(white, has_background=has_background, erase=0.5) == ground
        shares = erased.float().mean((1, 2, 3))
        assert shares.max() == pytest.approx(0.25)
        assert shares.min() > 0.05  # half of each side hangs over at most
        assert torch.equal(erased.all(3), erased.any(3))


def test_colors_change_within_their_bounds():
    """Brightness scales, contrast and saturation keep the mean; gray has no saturation."""
    images = torch.tensor([200.0, 100.0, 50.0]).expand(64, 28, 28, 3).clone()
    images[:, :14] /= 2
    luma = torch.tensor([0.299, 0.587, 0.114])
    bright = changed(images, brightness=0.2)[:, 0, 0, 0] / 100
    assert 0.8 <= bright.min() < 0.9
    assert 1.1 < bright.max() <= 1.2
    for name in ("contrast", "saturation"):
        other = changed(images, **{name: 0.2})
        assert (other - images).abs().max() > 5
        gray = (other @ luma, images @ luma)
        torch.testing.assert_close(*(g.mean((1, 2)) for g in gray), atol=0.1, rtol=0)
    torch.testing.assert_close(gray[0], gray[1], atol=0.1, rtol=0)
    still = changed(images[..., 0])
    torch.testing.assert_close(changed(images[..., 0], saturation=0.2), still)


def test_what_is_off_draws_no_random_number(blobs):
    """A change draws behind those that were there before it, so their results stay."""
    both, one = (changed(blobs, rotation=9, **more) for more in ({"brightness": 1e-9}, {}))
    torch.testing.assert_close(both, one, atol=1e-3, rtol=0)
