"""The one exception that people see: a sentence, never a traceback."""


class UserError(Exception):
    """Something a person can mend.

    The message is one line: what was found, what was expected, what to do next.
    Whoever runs a command prints it and exits with status 2.
    """
