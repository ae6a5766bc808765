"""The section `data` of params.yaml, and the base class of all its sections."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

DOWNLOADS = "data/raw"  # the folder of downloaded data sets


class ParamsSection(BaseModel):
    """A strict, frozen section: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


def _image_source(value: object) -> object:
    """Return `value` if it names a source of images."""
    if not re.fullmatch(r"mnist|folder|torchvision:[A-Za-z0-9]+(:[a-z]+)?", str(value)):
        raise ValueError("expected mnist, folder, torchvision:NAME or torchvision:NAME:SPLIT")
    return value


def _test_images(value: object) -> object:
    """Return `value` if it says which images are for the test."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError("expected official, split, a folder, or a share such as 0.2")


class DataParams(ParamsSection):
    """Where the images come from, and what the network sees of them."""

    source: Annotated[str, BeforeValidator(_image_source)]
    path: Annotated[str, Field(min_length=1)]
    kind: Literal["glyphs", "images"]
    size: Annotated[int, Field(ge=16, le=224, multiple_of=2)]
    channels: Literal[1, 3]
    fit: Literal["pad", "crop"]
    test: Annotated[float | str, BeforeValidator(_test_images)]
    group: Literal["none", "folder", "column"]
    unreadable: Literal["stop", "skip"]

    @field_validator("path")
    @classmethod
    def _fits_source(cls, path: str, info: ValidationInfo) -> str:
        if info.data.get("source", "folder") != "folder" and path != DOWNLOADS:
            raise ValueError(f"expected {DOWNLOADS}, or source: folder")
        if info.data.get("source") == "folder" and path == DOWNLOADS:
            raise ValueError("expected the folder of your images, because source is folder")
        return path

    @field_validator("channels")
    @classmethod
    def _fits_kind(cls, channels: int, info: ValidationInfo) -> int:
        if channels == 3 and info.data.get("kind") == "glyphs":
            raise ValueError("expected 1, because glyphs are gray; images may have 3")
        return channels
