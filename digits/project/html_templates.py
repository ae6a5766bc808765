"""HTML pages from Jinja2 templates; every value that goes into one is escaped."""

import functools
from pathlib import Path
from typing import Any

import jinja2


@functools.cache
def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,  # what is not recorded is empty, parts of it, too
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: Path, **values: Any) -> str:
    """The page that the file `template` makes of `values`."""
    return _environment(template.parent).get_template(template.name).render(values)
