"""Random distortion of whole batches of images, on the device that trains.

Rotation, scale, shear, shift and elastic distortion are one matrix product, which gives each
pixel the position that it is read from, and one `grid_sample`. Brightness changes last.
Distorting training digits is from Simard et al. 2003 ("Best practices for convolutional neural
networks applied to visual document analysis"). They smooth a field of noise; here a random sum
of cosines with the same spectrum needs no convolution and no stored fields.

Synthetic training images are not here but in `synthetic_ones`.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from digits.project.params_schema import AugmentParams

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
    images: Tensor, augment: AugmentParams, basis: Tensor, generator: torch.Generator
) -> Tensor:
    """Distort each of `images`, (n, side, side), 0 is background, at random; float32.

    `basis` is `displacement_basis(side, device)`. `generator` is on the same device and alone
    decides the result. Pixels from outside the image are background.
    """
    count, side = len(images), images.shape[-1]
    factors = _random_factors(count, side, augment, basis, generator)
    grid = (factors.flatten(0, 1) @ basis).view(count, 2, side, side).permute(0, 2, 3, 1)
    moved = grid_sample(images.unsqueeze(1).float(), grid, align_corners=False).squeeze(1)
    if augment.gain:
        # values above white become white, so the gray edges of strokes grow or shrink
        uniform = torch.rand((count, 1, 1), generator=generator, device=basis.device) * 2 - 1
        moved = moved.mul_(torch.exp(uniform * augment.gain)).clamp_(max=255)
    return moved


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
    return torch.cat([torch.stack([x, y], 1), elastic * augment.elastic], 2)
