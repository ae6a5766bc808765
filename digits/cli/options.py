"""Arguments and options that several commands share, with their help texts."""

from typing import Annotated

from typer import Argument, Option

# What `digits.registry.model_reference` resolves: the same in every command.
MODEL = """The model's folder or a file in it, an alias such as champion, a version number, a run
id, or a git revision. All files are verified before any is loaded."""
ModelArgument = Annotated[str, Argument(metavar="MODEL", help=MODEL)]
ModelOption = Annotated[
    str | None,
    Option(metavar="MODEL", help=f"{MODEL} [default: models/digits, or else champion]"),
]
SeveralOption = Annotated[
    bool | None,
    Option("--multi/--single", help="Find several digits per image, or one. [default: automatic]"),
]
JsonOption = Annotated[bool, Option("--json", help="Print the result as JSON.")]
PortOption = Annotated[int, Option(metavar="PORT", help="Port, or the next free one after it.")]
ReasonOption = Annotated[str, Option(metavar="TEXT", help="Why; stored in the alias log.")]
StorageOption = Annotated[
    str | None,
    Option(metavar="URL", help="Study database. [default: DIGITS_TUNE_STORAGE or tune.storage]"),
]
VersionArgument = Annotated[
    str, Argument(metavar="VERSION", help="A version number, an alias or a run id.")
]
