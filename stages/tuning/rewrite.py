"""Change values in params.yaml and nothing else: the bytes around them stay as they are.

A YAML library that loads and dumps would lay out the whole file anew, so only the places of
the values are taken from one. The other way to give a value is `dvc exp run -S`.
"""

import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stages.lib import files, params
from stages.lib.errors import UserError
from stages.tuning.space import Setting

Change = tuple[int, int, str]  # from, to, by what


def written(value: Any) -> str:
    """A value as YAML and Hydra read it; 0.00001 rather than 1e-05, a text to YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return str(np.format_float_positional(value, trim="0"))
    return yaml.safe_dump(value, width=math.inf).splitlines()[0]


def command(setting: Setting) -> str:
    """The line that trains with `setting`, to be pasted into a shell."""
    words = [f"{key}={written(value).replace(', ', ',')}" for key, value in setting.items()]
    return " ".join(["dvc exp run", *(f"-S {shlex.quote(word)}" for word in words)])


def rewrite(path: Path, setting: Setting) -> None:
    """Write `setting` into the file; comments, order and layout stay.

    Raises UserError, and changes nothing, when a value cannot be changed in its place.
    """
    text = path.read_bytes().decode()  # line ends as they are
    root = yaml.compose(text, yaml.SafeLoader)
    changes = sorted(_change(root, key, value, text) for key, value in setting.items())
    for start, end, new in reversed(changes):
        text = text[:start] + new + text[end:]
    wanted = params.changed(params.load(path), setting, str(path))
    try:
        reached = params.check(yaml.safe_load(text), str(path)) == wanted
    except (yaml.YAMLError, UserError):
        reached = False
    if not reached:
        told = ", ".join(f"{key}: {written(value)}" for key, value in setting.items())
        raise UserError(f"{path} is laid out in a way that is not understood; write {told} there")
    files.write_bytes(path, text.encode())


def _change(root: Any, key: str, value: Any, text: str) -> Change:
    """Where the value of `key` stands, and what goes there, up to the comment after it."""
    node = root
    for part in key.split("."):
        node = next(inner for name, inner in node.value if name.value == part)
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        end = node.value[-1].end_mark.index  # its own end is where the next key begins
    new = written(value)
    blank = len(text[end:]) - len(text[end:].lstrip(" "))
    if text[end + blank : end + blank + 1] == "#":
        width = end - max(start, text.rfind("\n", 0, end) + 1)
        new += " " * max(2, width + blank - len(new))
        end += blank
    return start, end, new
