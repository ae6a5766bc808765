"""Random distortion of whole batches of images, on the device that trains.

Mirroring, rotation, scale, shear, shift and elastic distortion are one matrix product, which
gives each pixel the position that it is read from, and one `grid_sample`. Brightness and colors
change after that, and a square is erased last.
Distorting training digits is from Simard et al. 2003 ("Best practices for convolutional neural
networks applied to visual document analysis"). They smooth a field of noise; here a random sum
of cosines with the same spectrum needs no convolution and no stored fields.

Changes of colors are in `color_changes`, synthetic training images in `synthetic_ones`.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from digits.project.params_schema import AugmentParams
from digits.training import color_changes
from digits.training.networks import as_planes

SMOOTHNESS = 4.0  # pixels: sigma of the Gaussian that smooths the field of Simard et al.
WAVES = 6  # cosines per axis; the seventh would have 3 % of the first's amplitude


def is_active(augment: AugmentParams) -> bool:
    """Return whether `augment` changes images at all."""
    return any(value > 0 for value in augment.model_dump(exclude={"flagged_ones"}).values())


def displacement_basis(side: int, device: torch.device) -> Tensor:
    """Return the basis of all displacements, (3 + fields, side * side) float32.

    The rows are x, y and 1 at every pixel, in the units of `grid_sample` (-1 to 1 across the
    image), then smooth fields. With standard normal factors these add up to a field of 1 pixel
    root mean square.
    """
    ticks = torch.arange(side, dtype=torch.float64)
    centers = (2 * ticks + 1) / side - 1
    y, x = torch.meshgrid(centers, centers, indexing="ij")
    frequencies = torch.arange(WAVES, dtype=torch.float64) * math.pi / side
    waves = torch.cos(frequencies[:, None] * (ticks + 0.5))
    waves = waves * torch.exp(-((SMOOTHNESS * frequencies) ** 2) / 2)[:, None]
    fields = torch.einsum("iy,jx->ijyx", waves, waves).flatten(0, 1)[1:]
    fields = fields / fields.square().sum(0).mean().sqrt() * (2 / side)
    rows = torch.cat([torch.stack([x, y, torch.ones_like(x)]), fields])
    return rows.flatten(1).to(device, torch.float32)


def augment_images(
    images: Tensor,
    augment: AugmentParams,
    basis: Tensor,
    generator: torch.Generator,
    *,
    has_background: bool = True,
) -> Tensor:
    """Distort each of `images`, (n, side, side) or (n, side, side, 3), at random; float32.

    `basis` is `displacement_basis(side, device)`. `generator` is on the same device and alone
    decides the result. Pixels from outside the image are 0, or mirrored at its edges if it
    `has_background` not. What is turned off draws no random number.
    """
    count, side = images.shape[:2]
    factors = _random_factors(count, side, augment, basis, generator)
    grid = (factors.flatten(0, 1) @ basis).view(count, 2, side, side).permute(0, 2, 3, 1)
    outside = "zeros" if has_background else "reflection"
    planes = as_planes(images).float()
    moved = grid_sample(planes, grid, padding_mode=outside, align_corners=False)
    if augment.gain:
        # values above white become white, so the gray edges of strokes grow or shrink
        uniform = torch.rand((count, 1, 1, 1), generator=generator, device=basis.device) * 2 - 1
        moved = moved.mul_(torch.exp(uniform * augment.gain)).clamp_(max=255)
    moved = color_changes.change_colors(moved, augment, generator)
    if augment.erase:
        ground = 0.0 if has_background else color_changes.NEUTRAL
        moved = _erase_squares(moved, augment.erase * side, ground, generator)
    return moved.squeeze(1) if images.ndim == 3 else moved.permute(0, 2, 3, 1)


def _erase_squares(
    planes: Tensor, width: float, ground: float, generator: torch.Generator
) -> Tensor:
    """Cover a square of `width` pixels, which may hang over the edge, anywhere in each image.

    DeVries and Taylor 2017 ("Improved regularization of convolutional neural networks with
    cutout").
    """
    count, side, device = len(planes), planes.shape[-1], planes.device
    centers = torch.rand((2, count, 1), generator=generator, device=device) * side
    near = (torch.arange(side, device=device) + 0.5 - centers).abs() < width / 2
    return planes.masked_fill_((near[0, :, :, None] & near[1, :, None, :]).unsqueeze(1), ground)


def _random_factors(
    count: int, side: int, augment: AugmentParams, basis: Tensor, generator: torch.Generator
) -> Tensor:
    """Draw the factors of the basis for x and y, (count, 2, 3 + fields) float32."""
    device = basis.device
    uniform = torch.rand((6, count), generator=generator, device=device) * 2 - 1
    angle = uniform[0] * math.radians(augment.rotation)
    wide, high = 1 + uniform[1] * augment.scale, 1 + uniform[2] * augment.scale
    shear, shift = uniform[3] * augment.shear, uniform[4:6] * augment.shift * (2 / side)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # rotation @ shear @ scale, row by row; the third column moves the image
    x = torch.stack([cos * wide, (cos * shear - sin) * high, shift[0]], 1)
    y = torch.stack([sin * wide, (sin * shear + cos) * high, shift[1]], 1)
    elastic = torch.randn((count, 2, len(basis) - 3), generator=generator, device=device)
    factors = torch.cat([torch.stack([x, y], 1), elastic * augment.elastic], 2)
    if augment.flip:  # read from the other side of the middle
        mirrored = torch.rand(count, generator=generator, device=device) < augment.flip
        factors[:, 0] *= torch.where(mirrored, -1.0, 1.0)[:, None]
    return factors
