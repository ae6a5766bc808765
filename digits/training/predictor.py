"""What a model predicts with: a trained network, and what comes before it in the ONNX file.

Neither part is there while the network is trained.
"""

import torch
from torch import Tensor, nn

from digits.preprocessing.image_format import MNIST, ImageFormat

MARGIN = 4 / 28  # of the side: around a glyph, as in MNIST, there is only background
MIN_CONTRAST = 0.1  # of white: the brightest ink of a glyph has more
FAINT = 0.12  # of the brightest ink: less is no ink
MIN_NEIGHBORS = 0.6  # ink of the eight pixels around one: with less, it is a speck
# Corners of the crops of an image padded by one pixel; the first crop is the image itself.
OFFSETS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2))


def build_predictor(
    network: nn.Module, views: int, image_format: ImageFormat, *, remove_background: bool
) -> nn.Module:
    """Build what a model predicts with: a trained network, and what comes before it."""
    predictor = TestTimeAugmentation(network, views, image_format)
    if not remove_background:
        return predictor
    return nn.Sequential(BackgroundRemoval(image_format.side), predictor)


class BackgroundRemoval(nn.Module):
    """Leave only the ink of glyphs, at full contrast, whatever the light behind them.

    The background is the surface that continues the four margins of the image, which have no ink
    (a bilinearly blended patch: Coons 1967). Where it is bright, ink is dark. Specks are removed.
    Glyphs on black, as the network was trained on, stay as they are, but for faint pixels.
    """

    surface: Tensor
    neighbors: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side, self.margin = side, round(MARGIN * side)
        self.register_buffer("surface", _blended_surface(side), persistent=False)
        neighbors = torch.ones(1, 1, 3, 3)
        neighbors[..., 1, 1] = 0
        self.register_buffer("neighbors", neighbors, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, side, side) in [-1, 1] -> the same."""
        light = (images + 1) / 2
        background = self._background(light)
        is_bright = background > 0.5
        ink = torch.where(is_bright, background - light, light - background)
        ink = (ink / torch.where(is_bright, background, 1 - background)).relu()
        ink = ink / ink.amax((2, 3), keepdim=True).clamp(min=MIN_CONTRAST)
        ink = torch.where(ink < FAINT, 0.0, ink)
        around = nn.functional.conv2d(ink, self.neighbors, padding=1)
        return torch.where(around < MIN_NEIGHBORS, 0.0, ink) * 2 - 1

    def _background(self, light: Tensor) -> Tensor:
        """Return the background at each pixel, from the darkest pixels across each margin."""
        m = self.margin
        rows = light[:, :, :m].amin(2), light[:, :, -m:].amin(2)
        columns = light[:, :, :, :m].amin(3), light[:, :, :, -m:].amin(3)
        surface = torch.cat([*rows, *columns], 2) @ self.surface
        return surface.view(-1, 1, self.side, self.side).clamp(0, 1)


def _blended_surface(side: int) -> Tensor:
    """Return the matrix from the top, bottom, left and right margin to a surface between them.

    float32 (4 * side, side * side). A corner's value is the mean of the two margins there.
    """
    far = torch.linspace(0, 1, side)
    ends, one = torch.stack([1 - far, far]), torch.eye(side)
    rows = torch.einsum("ey,ix->eiyx", ends, one)  # e: the end; i: the position on its margin
    columns = torch.einsum("ex,iy->eiyx", ends, one)
    corners = torch.einsum("ey,fx->efyx", ends, ends) / 2
    rows[:, 0] -= corners[:, 0]
    rows[:, -1] -= corners[:, 1]
    columns[:, 0] -= corners[0]
    columns[:, -1] -= corners[1]
    return torch.cat([rows, columns]).reshape(4 * side, side * side)


class TestTimeAugmentation(nn.Module):
    """Predict by the mean logits of an image and copies shifted by a pixel.

    Krizhevsky et al. 2012 averaged ten crops of each image in the same way.
    """

    def __init__(self, network: nn.Module, views: int, image_format: ImageFormat = MNIST) -> None:
        super().__init__()
        self.network = network
        self.offsets = OFFSETS[:views]
        self.has_background = image_format.kind == "glyphs"

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, side, side) in [-1, 1] -> (n, classes) logits."""
        side = images.shape[-1]
        if self.has_background:
            padded = nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
        else:
            padded = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
        shifts = [padded[:, :, y : y + side, x : x + side] for y, x in self.offsets]
        return torch.stack([self.network(shift) for shift in shifts]).mean(0)
