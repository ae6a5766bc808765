"""The command line, `digits VERB`: it parses words, calls another room and prints words.

Each verb is a file with a function of its name, whose docstring is shown by `digits VERB --help`.
`main` lists the verbs, and its docstring is shown by `digits --help`. `options` holds the
arguments and options that several verbs share.

The work itself lives in the other rooms, which never import this one. Modules that take long to
import (MLflow, torch, ONNX Runtime, OpenCV) are imported inside the functions: `digits --help` and
`digits predict` stay quick.
"""

import sys

__version__ = "0.1.0"  # read by `digits --version`, and by pyproject.toml for the package


def start() -> None:
    """Run `digits`, also while its modules are still imported when Ctrl-C is pressed."""
    try:
        from digits.cli.main import main

        main()
    except KeyboardInterrupt:
        print("digits: interrupted", file=sys.stderr)
        sys.exit(130)
