"""Networks that a section of params.yaml describes, and their form for the world outside."""

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.lib import schema
from stages.lib.dataset import SIDE
from stages.lib.files import write_bytes

# Corners of the windows of `Views` in a picture padded by one pixel; the first is the picture.
OFFSETS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2))
STEM = 2  # pixels per side that the convolutional network's first step folds into channels


def build(model: schema.Model, classes: int) -> nn.Module:
    """The network of `model.kind`, (n, 1, 28, 28) float in [-1, 1] -> (n, classes) logits.

    Several `model.members` make a Committee. The weights are random draws from torch's
    global generator; seed that first.
    """
    made = [_one(model, classes) for _ in range(model.members)]
    return Committee(made) if len(made) > 1 else made[0]


def parameter_count(network: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def normalise(images: Tensor) -> Tensor:
    """(n, 28, 28), 0 to 255 of any type -> (n, 1, 28, 28) float32, -1 to 1."""
    return images.unsqueeze(1).div(127.5).sub_(1)  # two passes, one new tensor


def _one(model: schema.Model, classes: int) -> nn.Sequential:
    """One network of `model.kind`."""
    return _mlp(model.mlp, classes) if model.kind == "mlp" else _cnn(model.cnn, classes)


def _mlp(mlp: schema.Mlp, classes: int) -> nn.Sequential:
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


def _cnn(cnn: schema.Cnn, classes: int) -> nn.Sequential:
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


class Views(nn.Module):
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


class Exported(nn.Module):
    """A trained network with what belongs around it: bytes of pictures in, logits out."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 28, 28) uint8 -> (n, classes) float32 calibrated logits."""
        logits: Tensor = self.network(normalise(pictures))
        return logits / self.temperature


def export_onnx(
    network: nn.Module, temperature: float, description: dict[str, str], path: Path
) -> None:
    """Write `network`, on the CPU, with its calibration to one ONNX file.

    Input `pictures` is uint8 (n, 28, 28), output `logits` float32 (n, classes), for any
    n. `description` becomes the file's metadata. Equal weights give equal bytes: what
    the exporter notes about source files and call stacks is removed.
    """
    example = torch.zeros((2, SIDE, SIDE), dtype=torch.uint8)
    program = torch.onnx.export(
        Exported(network, temperature).eval(),
        (example,),
        input_names=["pictures"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto  # made anew whenever it is asked for
    graph = proto.graph
    values = (*graph.input, *graph.output, *graph.initializer, *graph.value_info)
    for holder in (graph, *graph.node, *values, *proto.functions):
        holder.ClearField("doc_string")
        holder.ClearField("metadata_props")
    proto.ClearField("metadata_props")
    for key in sorted(description):
        proto.metadata_props.add(key=key, value=description[key])
    write_bytes(path, proto.SerializeToString(deterministic=True))
