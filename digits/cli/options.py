"""Arguments and options that several commands share, with their help texts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)  # a shell completes the names of files and folders
# What `digits.registry.model_reference` resolves: the same in every command.
MODEL = """The model's folder or a file in it, an alias such as champion, a version number, a run
id, a git revision, or an experiment of DVC. All files are verified before any is loaded."""
MODEL_DEFAULT = f"{MODEL} [default: models/digits, or else champion]"
SEVERAL = "Find several glyphs, such as digits, per image, or one. [default: automatic]"
REASON = "Why; stored in the alias log."
PORT = "Port to listen on; 0 takes any free one. [default: {}, or the next free one]"
STUDY = "Name of the study. [default: tune.study]"
STORAGE = "Study database. [default: DIGITS_TUNE_STORAGE or tune.storage]"

model_option = click.option("--model", metavar="MODEL", type=click.Path(), help=MODEL_DEFAULT)
several_option = click.option("--multi/--single", "several", default=None, help=SEVERAL)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
study_option = click.option("--study", metavar="NAME", help=STUDY)
storage_option = click.option("--storage", metavar="URL", help=STORAGE)

version_argument = click.argument("version", help="A version number, an alias or a run id.")
# The name, the default or `required=True` is given where they are used.
model_argument = partial(click.argument, type=click.Path())
reason_option = partial(click.option, "--reason", metavar="TEXT", help=REASON)


def port_option(first: int) -> Callable[[Any], Any]:
    """Return the option --port of a server that listens on `first` or the next free one."""
    kind, text = click.IntRange(0, 65535), PORT.format(first)
    return click.option("--port", type=kind, metavar="PORT", help=text)
