"""What people call the things that a model reads: digits, other glyphs, or whole images."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from digits.preprocessing import class_names
from digits.preprocessing.image_format import ImageFormat

MAX_BUTTONS = 10  # classes that the page shows as buttons to choose the right one
MAX_SHORT_NAME = 2  # characters of names that fit beside a bar


@dataclass(frozen=True)
class ModelWords:
    """The words and settings of pages about the model `name`."""

    name: str
    classes: list[str]
    format: ImageFormat

    @property
    def draws(self) -> bool:
        """Whether its input can be drawn with a pen."""
        return self.format.kind == "glyphs"

    @property
    def noun(self) -> str:
        """What one thing is called that the model reads."""
        return class_names.noun(self.classes) if self.draws else "image"

    @property
    def article(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun == 'image' else 'a'} {self.noun}"

    @property
    def row(self) -> str:
        """What several glyphs are called."""
        return "a number" if self.noun == "digit" else "several"

    @property
    def title(self) -> str:
        """The heading of the pages."""
        return "Digits" if self.noun == "digit" else self.name

    @property
    def link(self) -> str:
        """The link to the page where the model can be tried."""
        return {"digit": "Draw digits", "glyph": "Draw"}.get(self.noun, "Try an image")

    @property
    def buttons(self) -> bool:
        """Whether the right class is chosen by a button of its own."""
        return len(self.classes) <= MAX_BUTTONS

    @property
    def long(self) -> bool:
        """Whether names need more room than a digit."""
        return max(map(len, self.classes)) > MAX_SHORT_NAME

    def is_label(self, text: str) -> bool:
        """Whether a text is a class or, of glyphs, the labels of several."""
        if not self.draws:
            return text in self.classes
        return class_names.is_label(text, self.classes)

    @property
    def enter(self) -> str:
        """The label of the field for a correction."""
        if self.noun == "digit":
            return "or enter the number"
        start = "or enter" if self.buttons else "Enter"
        return f"{start} the right {'labels' if self.draws else 'class'}"

    @property
    def example(self) -> str:
        """An example of what is entered there."""
        if self.noun == "digit":
            return "2026, or 20/26 for two rows"
        name = class_names.shorten(self.classes[0], 30)
        if not self.draws or not class_names.are_characters(self.classes):
            return name
        return f"{''.join(self.classes[:3])}, with / between rows"

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the scripts of the page need."""
        characters = class_names.are_characters(self.classes)
        return {
            "classes": self.classes,
            "draws": self.draws,
            "noun": self.noun,
            "characters": characters,
            "buttons": self.buttons,
        }
