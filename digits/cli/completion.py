"""`digits completion`: print the script with which a shell completes commands and options."""

import click

SHELLS = click.Choice(["bash", "zsh", "fish"])
VARIABLE = "_DIGITS_COMPLETE"  # the script asks for completions by it


@click.argument("shell", metavar="SHELL", type=SHELLS, help="bash, zsh or fish.")
def completion(shell: str) -> None:
    """Print a script that completes commands in a shell.

    Example: digits completion bash >> ~/.bashrc
    """
    from click.shell_completion import shell_complete

    program = click.get_current_context().find_root().command
    shell_complete(program, {}, "digits", VARIABLE, f"{shell}_source")
