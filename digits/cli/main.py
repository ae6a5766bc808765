"""Classify images, such as handwritten digits; compare, publish and serve the models for it.

`dvc repro` trains, evaluates and registers a model with the values in params.yaml. Each registered
model is a version. The alias `champion` marks the version in use. `challenger` marks the newest
version that did not replace it.

`predict` and `score` use the model of this checkout, models/digits, or else the champion. `serve`
and `pull` use the champion. --model takes any other model.

Every error is one line on standard error, with exit status 2 unless a command says otherwise.
"""

import functools
import gc
import importlib
import io
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click

from digits.cli import __version__
from digits.cli.completion import VARIABLE
from digits.project import loopback, workspace
from digits.project.errors import UserError, run_reporting_errors

# Each names a module here and the function in it. A newcomer needs them in this order.
GROUPS = {
    "Classify images": "predict score serve feedback",
    "Train and compare": "data results recipe ui compare tune dashboard report rerun",
    "Manage versions": "versions promote rollback history lineage card verify pull prune",
    "Other": "send completion",
}
COMMANDS = " ".join(GROUPS.values())


@functools.cache
def load_command(name: str) -> click.Command:
    """Import the module `name` and make a command of its function of that name."""
    function = getattr(importlib.import_module(f"digits.cli.{name}"), name)
    sentence = function.__doc__.partition("\n")[0]  # whole in `digits --help`
    return click.command(short_help=sentence)(function)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands, in their order."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, or None if there is none of that name."""
        return load_command(cmd_name) if cmd_name in self.commands else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands in groups, each with a sentence."""
        width = max(map(len, self.commands))
        for title, names in GROUPS.items():
            with formatter.section(title):
                rows = [(f"{n:{width}}", load_command(n).short_help or "") for n in names.split()]
                formatter.write_dl(rows)


app = LazyGroup(
    help=__doc__,
    commands={name: click.Command(name) for name in COMMANDS.split()},
    context_settings={"show_default": True},
)
click.version_option(__version__, message="digits %(version)s", help="Print the version.")(app)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `digits` with `arguments`, by default those of the process, and exit.

    The exit statuses are those of `run_reporting_errors`, or the command's own, or 141 if the
    reader of standard output leaves, as in `digits versions | head -1`.
    """
    if instruction := os.environ.get(VARIABLE):  # a shell asks for completions
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(app, {}, "digits", VARIABLE, instruction))
    words = sys.argv[1:] if arguments is None else arguments
    loopback.bypass_proxy()
    if None in {sys.stdout, sys.stderr}:  # closed: nobody reads what is printed
        sys.stdout, sys.stderr = (s or Path(os.devnull).open("w") for s in (sys.stdout, sys.stderr))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # None if it is closed
        is_utf8 = sys.stdout.encoding.lower() == "utf-8"  # then file names are printed unchanged
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    try:
        try:
            sys.exit(run_reporting_errors("digits", lambda: _run(words)))
        finally:
            print(end="", flush=True)
            # The process ends: what modules hold needs no collecting, which takes 0.06 s of `digits
            # predict`. Where it is left out, torch prints what it had not freed.
            if arguments is None and "torch" not in sys.modules:
                gc.freeze()
    except BrokenPipeError:
        os._exit(141)  # without flushing into the closed pipe


def _check_environment() -> None:
    """Raise UserError in a checkout that has an environment of its own, if this is another's."""
    root, own = workspace.find_state_root(), Path(__file__).parents[2]
    if root is None or own.samefile(root) or not (root / "digits/cli").is_dir():
        return
    if (root / ".venv").is_dir() and not (root / ".venv").samefile(sys.prefix):
        found = f"this command is of {own}, and {root} has code of its own"
        raise UserError(f"{found}; `. .venv/bin/activate` there, or `make clean repro` mends it")


def _run(arguments: list[str]) -> None:
    """Run the command of `arguments`; raises UserError if they are wrong."""
    _check_environment()
    width = min(shutil.get_terminal_size().columns, 80) - 2  # click's own is at least 50
    try:
        with app.make_context("digits", arguments, terminal_width=width) as context:
            app.invoke(context)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "digits"
        words = " ".join(error.format_message().split()).rstrip(".")  # choices stand in lines
        raise UserError(f"{words} (see `{command} --help`)") from None
