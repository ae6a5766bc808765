"""Networks that a section of params.yaml describes, and their form for the world outside."""

import itertools

import torch
from torch import Tensor, nn

from digits.datasets.split_files import SIDE
from digits.project.params_schema import CnnParams, MlpParams, ModelParams

# Corners of the windows of `Views` in a picture padded by one pixel; the first is the picture.
OFFSETS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2))
STEM = 2  # pixels per side that the convolutional network's first step folds into channels


def build_network(model: ModelParams, classes: int) -> nn.Module:
    """The network of `model.kind`, (n, 1, 28, 28) float in [-1, 1] -> (n, classes) logits.

    Several `model.members` make a Committee. The weights are random draws from torch's
    global generator; seed that first.
    """
    made = [_build_member(model, classes) for _ in range(model.members)]
    return Committee(made) if len(made) > 1 else made[0]


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def normalize_images(images: Tensor) -> Tensor:
    """(n, 28, 28), 0 to 255 of any type -> (n, 1, 28, 28) float32, -1 to 1."""
    return images.unsqueeze(1).div(127.5).sub_(1)  # two passes, one new tensor


def _build_member(model: ModelParams, classes: int) -> nn.Sequential:
    """One network of `model.kind`."""
    return _mlp(model.mlp, classes) if model.kind == "mlp" else _cnn(model.cnn, classes)


def _mlp(mlp: MlpParams, classes: int) -> nn.Sequential:
    """[Linear, BatchNorm, ReLU, Dropout] per hidden layer, then Linear."""
    layers: list[nn.Module] = [nn.Flatten()]
    widths = (SIDE * SIDE, *mlp.hidden)
    for fan_in, fan_out in itertools.pairwise(widths):
        # Batch normalisation subtracts the mean, and with it any bias before it.
        layers.append(nn.Linear(fan_in, fan_out, bias=not mlp.batch_norm))
        if mlp.batch_norm:
            layers.append(nn.BatchNorm1d(fan_out))
        layers += [nn.ReLU(inplace=True), *_dropout(mlp.dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def _cnn(cnn: CnnParams, classes: int) -> nn.Sequential:
    """Blocks of 2 x [3x3 convolution, BatchNorm, ReLU], the second pooled, then Linear.

    The stem folds each 2 x 2 pixels into four channels, so that every convolution works
    on a quarter of the positions. Pooling comes before normalisation, which then has a
    quarter of the numbers to read (as in Jordan 2024, "94% on CIFAR-10 in 3.29 seconds").
    """
    layers: list[nn.Module] = [nn.PixelUnshuffle(STEM)]
    side, width = SIDE // STEM, STEM * STEM
    for channels in cnn.channels:
        layers += _convolution(width, channels)
        pooled = _convolution(channels, channels)
        pooled.insert(1, nn.MaxPool2d(2, ceil_mode=True))
        layers += pooled
        side, width = (side + 1) // 2, channels
    layers += [nn.Flatten(), *_dropout(cnn.dropout)]
    return nn.Sequential(*layers, nn.Linear(width * side * side, classes))


def _convolution(fan_in: int, fan_out: int) -> list[nn.Module]:
    """3x3 convolution, BatchNorm, ReLU."""
    convolution = nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(fan_out), nn.ReLU(inplace=True)]


def _dropout(share: float) -> list[nn.Module]:
    """The layer that silences `share` of its inputs, or none."""
    return [Dropout(share)] if share else []


class Dropout(nn.Module):
    """Silences `share` of its inputs in training, drawn from a generator of its own.

    torch's layer draws from one generator for all threads, in the order in which they come.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.kept = 1 - share
        self.generator: torch.Generator | None = None  # None: torch's global one

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape -> the same shape, with the same mean."""
        if not self.training:
            return values
        mask = torch.empty_like(values).bernoulli_(self.kept, generator=self.generator)
        return values * mask / self.kept


class Committee(nn.Module):
    """Networks that differ in their random start, and predict by the mean of their logits.

    Ciresan et al. 2011 ("Convolutional neural network committees for handwritten character
    classification").
    """

    def __init__(self, members: list[nn.Sequential]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 1, 28, 28) -> (n, classes), the mean; in training each's: (n, classes, members)."""
        logits = torch.stack([member(pictures) for member in self.members], 2)
        return logits if self.training else logits.mean(2)


class TestTimeAugmentation(nn.Module):
    """Test-time augmentation: the mean logits of a picture and copies shifted by a pixel.

    Krizhevsky et al. 2012 averaged ten crops of each picture in the same way.
    """

    def __init__(self, network: nn.Module, views: int) -> None:
        super().__init__()
        self.network = network
        self.offsets = OFFSETS[:views]

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 1, 28, 28) in [-1, 1] -> (n, classes) logits."""
        padded = nn.functional.pad(pictures, (1, 1, 1, 1), value=-1.0)  # -1 is background
        moved = [padded[:, :, y : y + SIDE, x : x + SIDE] for y, x in self.offsets]
        return torch.stack([self.network(picture) for picture in moved]).mean(0)
