"""What params.yaml may hold: one strict class per section.

There are no defaults here: params.yaml is the only source of values, so a missing
one is an error that names it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A strict, frozen section: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Split(Section):
    """How the official training pictures are divided."""

    validation_share: Share
    seed: Seed


class Mlp(Section):
    """A multilayer perceptron: [Linear, BatchNorm, ReLU, Dropout] per hidden layer."""

    hidden: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    batch_norm: bool
    dropout: Probability


class Cnn(Section):
    """A convolutional network: per block 2 x [3x3 convolution, BatchNorm, ReLU] and a pooling."""

    channels: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]
    dropout: Probability


class Model(Section):
    """Which network to build."""

    kind: Literal["mlp", "cnn"]
    views: Literal[1, 5, 9]
    members: Count
    mlp: Mlp
    cnn: Cnn


class Augment(Section):
    """Random changes to each training picture, other ones in each epoch, and pictures added.

    0 turns one off.
    """

    rotation: Amount
    scale: Probability
    shear: Amount
    shift: Amount
    elastic: Amount
    gain: Amount
    flagged_ones: Annotated[int, Field(ge=0)]


class Train(Section):
    """How a network is fitted."""

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    shard: Annotated[int, Field(ge=0, multiple_of=2)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Amount
    warmup: Probability
    label_smoothing: Probability
    precision: Literal["auto", "float32", "bfloat16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: Count
    seed: Seed


class Evaluate(Section):
    """How a model is tested beyond the test pictures as they are."""

    corrupted: Annotated[int, Field(gt=0, le=10_000)]
    seed: Seed


class Register(Section):
    """Where the model goes in the registry, and what makes it champion."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    gate: Literal["enforce", "dry-run", "off"]
    level: Share
    class_drop: Probability
    ece: Probability
    latency: Annotated[float, Field(gt=0)]


class Range(Section):
    """Numbers from `low` to `high`, both possible; whole ones when both are written so."""

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


class Choices(Section):
    """One of several values, which have no order."""

    choices: Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _different(self) -> Self:
        if any(choice in self.choices[:i] for i, choice in enumerate(self.choices)):
            raise ValueError("the choices must differ")
        return self


def _form(value: object) -> str:
    """How a search is written, before it is checked and after."""
    keys = value if isinstance(value, dict) else vars(value) if isinstance(value, Section) else {}
    return "list" if "count" in keys else "choices" if "choices" in keys else "range"


_Value = Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")]


class Layers(Section):
    """A list: how many entries, at least and at most, and what each of them may be."""

    count: Annotated[tuple[Count, Count], Field(strict=False)]
    size: Annotated[_Value, Discriminator(_form)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.count[0] > self.count[1]:
            raise ValueError("count must be [at least, at most]")
        return self


Search = Annotated[_Value | Annotated[Layers, Tag("list")], Discriminator(_form)]


class Tune(Section):
    """What is searched, how long and how; see stages/tuning."""

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    storage: Annotated[str, Field(min_length=1)]
    trials: Count
    timeout: Amount
    sampler: Literal["tpe", "random"]
    pruner: Literal["halving", "none"]
    finalists: Count
    confirm: Count
    seed: Seed
    space: Annotated[dict[str, Search], Field(min_length=1)]


class Params(Section):
    """All of params.yaml; `recipes` are named changes, dotted keys to values, of the rest."""

    split: Split
    model: Model
    augment: Augment
    train: Train
    evaluate: Evaluate
    register_: Annotated[Register, Field(alias="register")]
    tune: Tune
    recipes: dict[str, dict[str, Any]]
