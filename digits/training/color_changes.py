"""Random changes of brightness, contrast and saturation of whole batches of images.

They are those of torchvision's ColorJitter, drawn for each image of a batch at once.
"""

import torch
from torch import Tensor

from digits.project.params_schema import AugmentParams

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in gray
NEUTRAL = 128.0  # gray that is neither dark nor light


def change_colors(planes: Tensor, augment: AugmentParams, generator: torch.Generator) -> Tensor:
    """Change (n, channels, side, side), 0 to 255, within the bounds of `augment`.

    What is turned off draws no random number; gray images have no saturation.
    """
    if augment.brightness:
        planes = _blend(
            planes, torch.zeros((), device=planes.device), augment.brightness, generator
        )
    if augment.contrast:
        mean = _gray(planes).mean((1, 2, 3), keepdim=True)
        planes = _blend(planes, mean, augment.contrast, generator)
    if augment.saturation and planes.shape[1] == 3:
        planes = _blend(planes, _gray(planes), augment.saturation, generator)
    return planes


def _blend(planes: Tensor, other: Tensor, bound: float, generator: torch.Generator) -> Tensor:
    """Change the distance of each image from `other` by a share of at most `bound`."""
    shape = (len(planes), 1, 1, 1)
    uniform = torch.rand(shape, generator=generator, device=planes.device) * 2 - 1
    factor = (1 + uniform * bound).clamp_(min=0)
    return torch.lerp(other.expand_as(planes), planes, factor).clamp_(0, 255)


def _gray(planes: Tensor) -> Tensor:
    """Return the brightness of each pixel, (n, 1, side, side)."""
    if planes.shape[1] == 1:
        return planes
    return (planes * planes.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
