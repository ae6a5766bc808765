"""Fill Jinja2 templates; every value that is inserted into a page is escaped.

The templates are beside the modules that use them, in `service` and `evaluation`.
"""

import functools
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader


@functools.cache
def _environment(folder: Path) -> Environment:
    """Load templates from `folder`; a value that is not recorded, or a part of it, is empty."""
    loader = FileSystemLoader(folder)
    blocks: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=loader, autoescape=True, undefined=ChainableUndefined, **blocks)


def render(template: Path, **values: Any) -> str:
    """Return the page that the file `template` makes of `values`.

    Bytes of a file's name that are no UTF-8 are written as escapes.
    """
    page = _environment(template.parent).get_template(template.name).render(values)
    return page.encode("utf-8", "backslashreplace").decode()
