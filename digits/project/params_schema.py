"""What params.yaml may hold: one strict class per section.

There are no default values here. params.yaml is the only source of values, so a missing value is
an error that names its key. The comments of params.yaml explain the values and give their units.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from digits.project.data_params import DataParams, ParamsSection

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]
PositiveInt = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class SplitParams(ParamsSection):
    """How the training images are divided into training and validation."""

    validation_share: Share
    seed: Seed


class MlpParams(ParamsSection):
    """A multilayer perceptron: [Linear, BatchNorm, ReLU, Dropout] per hidden layer."""

    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)]
    batch_norm: bool
    dropout: Probability


class CnnParams(ParamsSection):
    """A convolutional network: per block 2 x [3x3 convolution, BatchNorm, ReLU] and pooling."""

    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)]
    dropout: Probability


class TorchvisionParams(ParamsSection):
    """A network of torchvision; `pretrained` is whether, or from which file, it has weights."""

    name: Literal[
        "resnet18",
        "resnet34",
        "resnet50",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
        "efficientnet_b0",
        "convnext_tiny",
        "regnet_y_400mf",
    ]
    pretrained: bool | Annotated[str, Field(min_length=1)]


class ModelParams(ParamsSection):
    """The network to build."""

    kind: Literal["mlp", "cnn", "torchvision"]
    views: Literal[1, 5, 9]
    members: PositiveInt
    mlp: MlpParams
    cnn: CnnParams
    torchvision: TorchvisionParams


class AugmentParams(ParamsSection):
    """Random changes of each training image, drawn again in each epoch, and images that are added.

    The value 0 turns a change off.
    """

    rotation: NonNegative
    scale: Probability
    shear: NonNegative
    shift: NonNegative
    elastic: NonNegative
    gain: NonNegative
    flip: Annotated[float, Field(ge=0, le=1)]
    erase: Probability
    brightness: NonNegative
    contrast: NonNegative
    saturation: NonNegative
    flagged_ones: Annotated[int, Field(ge=0)]


class TrainParams(ParamsSection):
    """How a network is trained."""

    epochs: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    shard: Annotated[int, Field(ge=0, multiple_of=2)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: NonNegative
    warmup: Probability
    label_smoothing: Probability
    balance: Literal["none", "weights"]
    precision: Literal["auto", "float32", "bfloat16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: PositiveInt
    seed: Seed


class EvaluateParams(ParamsSection):
    """How a model is scored on corrupted test images."""

    corrupted: Annotated[int, Field(gt=0, le=10_000)]
    seed: Seed


class RegisterParams(ParamsSection):
    """The name of the registered model, and the rules that make a version champion."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    gate: Literal["enforce", "dry-run", "off"]
    measure: Literal["accuracy", "balanced_accuracy"]
    level: Share
    class_drop: Probability
    ece: Probability
    latency: Annotated[float, Field(gt=0)]


class SearchRange(ParamsSection):
    """Numbers from `low` to `high`, both included; integers if both bounds are integers."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 on a logarithmic scale")
        return self


class SearchChoices(ParamsSection):
    """One of several values that have no order."""

    choices: Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _different(self) -> Self:
        if any(choice in self.choices[:i] for i, choice in enumerate(self.choices)):
            raise ValueError("the choices must differ")
        return self


def _search_kind(value: object) -> str:
    """Which kind of search a value is, plain or already checked: the tag for pydantic."""
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "list" if "count" in keys else "choices" if "choices" in keys else "range"


_ScalarSearch = Annotated[SearchRange, Tag("range")] | Annotated[SearchChoices, Tag("choices")]


class SearchLayers(ParamsSection):
    """A list: the least and the greatest number of its entries, and the values of an entry."""

    count: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    size: Annotated[_ScalarSearch, Discriminator(_search_kind)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.count[0] > self.count[1]:
            raise ValueError("count must be [at least, at most]")
        return self


Search = Annotated[
    _ScalarSearch | Annotated[SearchLayers, Tag("list")], Discriminator(_search_kind)
]


class TuneParams(ParamsSection):
    """What `digits tune` searches, how long and how."""

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    storage: Annotated[str, Field(min_length=1)]
    trials: PositiveInt
    timeout: NonNegative
    sampler: Literal["tpe", "random"]
    pruner: Literal["halving", "none"]
    finalists: PositiveInt
    confirm: PositiveInt
    seed: Seed
    space: Annotated[dict[str, Search], Field(min_length=1)]


class Params(ParamsSection):
    """All of params.yaml; each recipe maps dotted keys of the other sections to other values.

    In the file a recipe may name a `base`, an earlier recipe whose values it changes.
    """

    data: DataParams
    split: SplitParams
    model: ModelParams
    augment: AugmentParams
    train: TrainParams
    evaluate: EvaluateParams
    register_: Annotated[RegisterParams, Field(alias="register")]
    tune: TuneParams
    recipes: dict[str, dict[str, Any]]
