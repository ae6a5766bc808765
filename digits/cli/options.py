"""Options that several commands have."""

from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A model's folder, or champion, challenger or a version's number. "
        "[default: models/digits of this project]",
    ),
]
SeveralOption = Annotated[
    bool | None,
    typer.Option(
        "--multi/--single", help="Several digits on each picture, or one. [default: automatic]"
    ),
]
