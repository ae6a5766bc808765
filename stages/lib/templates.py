"""Pages from the Jinja2 templates in `stages/web`; every text that goes into one is escaped."""

import functools
from pathlib import Path
from typing import Any

import jinja2

WEB = Path(__file__).parents[1] / "web"


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,  # what is not recorded is empty, parts of it, too
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`."""
    return _environment().get_template(template).render(values)
