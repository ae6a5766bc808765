"""Pages from the Jinja2 templates in `stages/web`; every text that goes into one is escaped."""

from pathlib import Path
from typing import Any

import jinja2

WEB = Path(__file__).parents[1] / "web"


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(WEB),
    autoescape=True,
    undefined=jinja2.ChainableUndefined,  # what is not recorded is empty, parts of it, too
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """The page that `template` makes of `values`."""
    return ENVIRONMENT.get_template(template).render(values)
