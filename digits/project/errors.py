"""UserError, the exception whose message a person reads, and the exit status of a command."""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# Packages of the extra `registry` in pyproject.toml; all others that may be missing are `train`'s.
REGISTRY_PACKAGES = {"alembic", "mlflow", "requests", "ruamel", "sqlalchemy", "yaml"}
# What to do about errors of a disk; other errors of the operating system concern names.
DISK_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "correct the permissions"),
    errno.EROFS: "go to a folder that can be written",
}

# What pydantic says of a value, as regular expressions, and the words for it here.
VALIDATION_WORDS = {
    r"^Value error, ": "",
    r"^Field required": "it is missing",
    r"^Invalid JSON": "it is not JSON",
    r"^(Input|String|Tuple|List|Dictionary|Bytes|Data) should": "it should",
    r"be a valid (dictionary|object).*": "be names with values",
    r"be a valid (tuple|list|array)": "be a list",
    r"be a valid integer.*": "be a whole number",
    r"be a valid number.*": "be a number",
    r"be a valid string": "be a text",
    r"be a valid boolean.*": "be true or false",
    r"have at least 1 (item|character).*": "not be empty",
    r"items?( after validation)?, not .*": "entries",
    r"match pattern .*": "begin with a letter or digit; the rest may also be '.', '_' or '-'",
    r"greater than or equal to": "at least",
    r"less than or equal to": "at most",
}


class UserError(Exception):
    """An error that a person can correct.

    The message is one line: what was found, what was expected, what to do next.
    A command prints it and exits with status 2.
    """


class DiskError(UserError):
    """A disk of this machine cannot be written, so that nothing is known of what is elsewhere."""


def describe_os_error(error: OSError) -> str:
    """Say in one line what could not be written or found, and what to do.

    Of a copy it is the target, and of a full disk without a name the folder that is full.
    """
    where = str(error.filename2 or error.filename or _find_full_folder(error))[:100]
    advice = DISK_ADVICE.get(error.errno or 0)
    if advice:
        where = f"cannot write {where}".rstrip()
    advice = f"{advice or 'check the name and what is there'}, then run the same command again"
    return f"{where or 'the system'}: {error.strerror}; {advice}"


def _find_full_folder(error: OSError) -> str:
    folders = (str(Path.cwd()), tempfile.gettempdir())
    full = (name for name in folders if shutil.disk_usage(name).free < 1 << 20)
    return next(full, "") if error.errno == errno.ENOSPC else ""


def describe_expected(message: str) -> str:
    """Return what pydantic's `message` says in words that do not speak of Python."""
    for pattern, words in VALIDATION_WORDS.items():
        message = re.sub(pattern, words, message)
    return message


def run_reporting_errors(name: str, action: Callable[[], object]) -> int:
    """Call `action`; print an error that a person can correct as one line after `name`.

    Those of the operating system are among them. Returns the exit status: 0, 2 after an error,
    130 after Ctrl-C. Other errors are raised.
    """
    try:
        action()
        return 0
    except UserError as error:
        message, status = str(error), 2
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):
            raise
        message, status = describe_os_error(error), 2
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in {"None", "digits"}:
            raise
        extra = "registry" if package in REGISTRY_PACKAGES else "train"
        message = f"{package} is not installed; install digits[{extra}] in place of digits"
        status = 2
    except KeyboardInterrupt:
        message, status = "interrupted; the same command goes on from here", 130
    print(f"{name}: {_shorten_paths(message)}", file=sys.stderr, flush=True)
    return status


def _shorten_paths(message: str) -> str:
    """Return `message` with paths in this checkout as seen from the working folder."""
    try:
        folders = [Path.cwd(), *Path.cwd().parents]
    except OSError:  # the working folder was removed
        return message
    root = next((folder for folder in folders if (folder / "dvc.yaml").is_file()), None)
    path = rf"(?<![\w/:]){re.escape(str(root))}/\S+"
    return message if root is None else re.sub(path, lambda p: os.path.relpath(p[0]), message)
