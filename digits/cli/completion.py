"""`digits completion`: print the script with which a shell completes commands and options."""

from enum import StrEnum
from typing import Annotated

from typer import Argument

VARIABLE = "_DIGITS_COMPLETE"  # the script asks for completions by it


class Shell(StrEnum):
    """A shell whose completion scripts Typer can write."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that completes commands in a shell.

    Example: digits completion bash >> ~/.bashrc
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="digits", complete_var=VARIABLE, shell=shell.value))
