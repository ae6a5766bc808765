"""Networks of torchvision, with a last layer for the classes and a first one for the channels.

Their weights are random, or those that torchvision's makers trained on ImageNet, which
`load_pretrained` downloads or reads from a file.
"""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models

from digits.preprocessing.image_format import ImageFormat
from digits.project.errors import UserError
from digits.project.params_schema import TorchvisionParams
from digits.training.dropout import Dropout

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by torchvision


class TorchvisionNetwork(nn.Module):
    """A network of torchvision behind the scaling that its weights were trained with."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, channels: int, *, pretrained: bool) -> None:
        super().__init__()
        self.network, self.pretrained = network, pretrained
        mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
        if channels == 1:
            mean, deviation = mean.mean(0, keepdim=True), deviation.mean(0, keepdim=True)
        scale, shift = 0.5 / deviation, (0.5 - mean) / deviation  # from -1 to 1
        self.register_buffer("scale", scale.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, side, side) in [-1, 1] -> (n, classes) logits."""
        scaled = images * self.scale + self.shift if self.pretrained else images
        logits: Tensor = self.network(scaled)
        return logits


def build(params: TorchvisionParams, classes: int, image_format: ImageFormat) -> nn.Module:
    """Build the network with random weights, also where they will be replaced.

    Raises UserError where images of this size become smaller than nothing in it.
    """
    network = models.get_model(params.name, weights=None, num_classes=classes)
    if image_format.channels != 3:
        _replace_first(network, image_format.channels)
    _replace_layers(network)
    built = TorchvisionNetwork(network, image_format.channels, pretrained=bool(params.pretrained))
    side = image_format.side
    try:
        with torch.inference_mode():
            built.eval()(torch.zeros((1, image_format.channels, side, side)))
    except RuntimeError as error:
        problem = f"{params.name} cannot take images of {side} pixels a side"
        way = "set data.size to 32 or more, or take another network"
        raise UserError(f"{problem}; {way}") from error
    return built.train()


def _replace_first(network: nn.Module, channels: int) -> None:
    """Give the first convolution another number of channels, with random weights."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    shape: dict[str, Any] = {"kernel_size": first.kernel_size, "stride": first.stride}
    shape |= {"padding": first.padding, "bias": first.bias is not None}
    other = nn.Conv2d(channels, first.out_channels, **shape)
    nn.init.kaiming_normal_(other.weight, mode="fan_out", nonlinearity="relu")
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, other)


class GlobalMean(nn.Module):
    """The mean of each channel: AdaptiveAvgPool2d(1), exported without operators that loop."""

    def forward(self, values: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, channels, 1, 1)."""
        return values.mean((2, 3), keepdim=True)


def _replace_layers(network: nn.Module) -> None:
    """Replace global pooling, and dropout by that of the other networks."""
    for name, layer in list(network.named_modules()):
        parent, _, last = name.rpartition(".")
        if isinstance(layer, nn.Dropout):
            setattr(network.get_submodule(parent), last, Dropout(layer.p))
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            setattr(network.get_submodule(parent), last, GlobalMean())


def load_pretrained(network: nn.Module, params: TorchvisionParams) -> None:
    """Give a network, or each member of a committee, the weights that `pretrained` names.

    The last layer keeps its random weights unless the classes are ImageNet's in number. The
    first one, for gray images, gets the sum over its channels. Raises UserError when the weights
    can neither be downloaded nor read, or are those of another network.
    """
    if not params.pretrained:
        return
    weights = _weights(params)
    for part in network.modules():
        if isinstance(part, TorchvisionNetwork):
            _copy(weights, part.network, params)


def _weights(params: TorchvisionParams) -> dict[str, Tensor]:
    """Return the weights from torchvision's server, by its own hashes, or from a file."""
    if isinstance(params.pretrained, str):
        path = Path(params.pretrained)
        try:
            weights = torch.load(path, "cpu", weights_only=True)
        except Exception as error:  # whatever the bytes provoke
            reason = " ".join(str(error).split())[:100]
            problem = f"model.torchvision.pretrained: {path} cannot be read ({reason})"
            raise UserError(f"{problem}; name a file that torchvision has published") from error
        return dict(weights) if isinstance(weights, dict) else {}
    entry = models.get_model_weights(params.name).DEFAULT
    try:
        return dict(entry.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        way = f"download {entry.url} elsewhere, and set model.torchvision.pretrained to the file"
        raise UserError(f"{params.name}: no pretrained weights ({reason}); {way}") from error


def _copy(weights: dict[str, Tensor], network: nn.Module, params: TorchvisionParams) -> None:
    """Copy all weights whose shapes fit; the last layer may differ, and the first in channels."""
    own = network.state_dict()
    last = [key.rpartition(".")[0] for key in own][-1]
    fitted = dict(weights)
    for key, tensor in own.items():
        given = fitted.get(key)
        if given is None or given.shape == tensor.shape:
            continue
        if key.startswith(f"{last}."):
            fitted[key] = tensor
        elif given.ndim == 4 and tensor.shape[1] == 1:
            fitted[key] = given.sum(1, keepdim=True)
    try:
        network.load_state_dict(fitted)
    except (RuntimeError, TypeError) as error:
        found = f"model.torchvision.pretrained: {params.pretrained} has not the weights of"
        raise UserError(f"{found} {params.name}; name the file of this network") from error
