"""Options that several commands have."""

from typing import Annotated

import typer

# The grammar of `digits.registry.model_reference`, the same for every command.
MODEL = """A model's folder or a file in it, an alias such as champion, a version's number, the id
of a run, or a git revision. Its files are checked before anything is loaded."""
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)]
ModelOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help=f"{MODEL} [default: models/digits, or else champion]"),
]
SeveralOption = Annotated[
    bool | None,
    typer.Option(
        "--multi/--single", help="Several digits on each picture, or one. [default: automatic]"
    ),
]
