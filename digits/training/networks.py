"""The networks that the section `model` of params.yaml describes, and their input.

Fitting them is in `training_loop`, their export in `onnx_export`.
"""

import itertools

import torch
from torch import Tensor, nn

from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project.params_schema import CnnParams, MlpParams, ModelParams
from digits.training.dropout import Dropout

STEM = 2  # pixels per side that the first layer of the convolutional network makes channels


def build_network(model: ModelParams, classes: int, image_format: ImageFormat = MNIST) -> nn.Module:
    """Build the network of `model.kind` for images of a format.

    It maps (n, channels, side, side) float in [-1, 1] to (n, classes) logits. Several
    `model.members` make a Committee. The weights are random draws from torch's global generator:
    seed it first. Raises UserError where the images are too small for the network.
    """
    members = [_member(model, classes, image_format) for _ in range(model.members)]
    return Committee(members) if len(members) > 1 else members[0]


def _member(model: ModelParams, classes: int, image_format: ImageFormat) -> nn.Module:
    if model.kind == "mlp":
        return _mlp(model.mlp, classes, image_format)
    if model.kind == "cnn":
        return _cnn(model.cnn, classes, image_format)
    from digits.training import torchvision_networks  # 3 s: torchvision

    return torchvision_networks.build(model.torchvision, classes, image_format)


def count_parameters(network: nn.Module) -> int:
    """Count the numbers that training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def normalize_images(images: Tensor) -> Tensor:
    """Scale pixels of any type, 0 to 255, to float32, -1 to 1, channels second.

    (n, side, side) becomes (n, 1, side, side), and (n, side, side, 3) becomes (n, 3, side, side).
    """
    return as_planes(images).div(127.5).sub_(1)  # two passes, one new tensor


def as_planes(images: Tensor) -> Tensor:
    """Return a view of images with their channels as the second dimension."""
    return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)


def _mlp(mlp: MlpParams, classes: int, image_format: ImageFormat) -> nn.Sequential:
    """[Linear, BatchNorm, ReLU, Dropout] per hidden layer, then Linear."""
    layers: list[nn.Module] = [nn.Flatten()]
    widths = (image_format.side**2 * image_format.channels, *mlp.hidden)
    for fan_in, fan_out in itertools.pairwise(widths):
        # Batch normalization subtracts the mean, and with it any bias before it.
        layers.append(nn.Linear(fan_in, fan_out, bias=not mlp.batch_norm))
        if mlp.batch_norm:
            layers.append(nn.BatchNorm1d(fan_out))
        layers += [nn.ReLU(inplace=True), *_dropout(mlp.dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def _cnn(cnn: CnnParams, classes: int, image_format: ImageFormat) -> nn.Sequential:
    """Blocks of 2 x [3x3 convolution, BatchNorm, ReLU], the second pooled, then Linear.

    The first layer makes channels of each 2 x 2 pixels, so every convolution works on a
    quarter of the positions. Pooling comes before normalization, which then reads a quarter
    of the numbers (as in Jordan 2024, "94% on CIFAR-10 in 3.29 seconds").
    """
    layers: list[nn.Module] = [nn.PixelUnshuffle(STEM)]
    side, width = image_format.side // STEM, STEM * STEM * image_format.channels
    for channels in cnn.channels:
        first, second = _convolution(width, channels), _convolution(channels, channels)
        layers += [*first, second[0], nn.MaxPool2d(2, ceil_mode=True), *second[1:]]
        side, width = (side + 1) // 2, channels
    layers += [nn.Flatten(), *_dropout(cnn.dropout)]
    return nn.Sequential(*layers, nn.Linear(width * side * side, classes))


def _convolution(fan_in: int, fan_out: int) -> list[nn.Module]:
    """3x3 convolution, BatchNorm, ReLU."""
    convolution = nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(fan_out), nn.ReLU(inplace=True)]


def _dropout(probability: float) -> list[nn.Module]:
    return [Dropout(probability)] if probability else []


class Committee(nn.Module):
    """Networks that differ in their random start, and predict by the mean of their logits.

    Ciresan et al. 2011 ("Convolutional neural network committees for handwritten character
    classification").
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._streams: list[torch.cuda.Stream] = []

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean logits (n, classes); in training each's, (n, classes, members)."""
        if self.training:
            run = self._side_by_side if images.is_cuda else self._in_turn
            return torch.stack(run(images), 2)
        return torch.stack(self._in_turn(images), 2).mean(2)

    def _in_turn(self, images: Tensor) -> list[Tensor]:
        return [member(images) for member in self.members]

    def _side_by_side(self, images: Tensor) -> list[Tensor]:
        """Run each member on a stream of its own: one alone leaves most of a GPU idle."""
        current, logits = torch.cuda.current_stream(), []
        while len(self._streams) < len(self.members):
            self._streams.append(torch.cuda.Stream())  # type: ignore[no-untyped-call]
        for member, stream in zip(self.members, self._streams, strict=True):
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                logits.append(member(images))
        for stream in self._streams:
            current.wait_stream(stream)
        return logits
