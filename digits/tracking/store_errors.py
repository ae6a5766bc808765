"""What the exceptions of MLflow, and of requests and SQLAlchemy below it, mean.

No other module reads their types or codes. MLflow gives its exceptions an error code. It wraps
those of SQLAlchemy: TEMPORARILY_UNAVAILABLE for a database that does not answer, BAD_REQUEST for
most others. How a failure is reported is in `tracking_store`.
"""

REJECTION_CODES = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
NOT_FOUND_CODES = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


def is_rejection(error: Exception) -> bool:
    """Whether the store works but refuses the request, so that a second try is useless.

    This includes uploads of files that no longer exist.
    """
    is_missing_file = isinstance(error, FileNotFoundError)
    return is_missing_file or getattr(error, "error_code", None) in REJECTION_CODES


def is_not_found(error: Exception) -> bool:
    """Whether the store has no object with the requested id, name or alias."""
    return getattr(error, "error_code", None) in NOT_FOUND_CODES


def is_of_other_release(error: Exception) -> bool:
    """Whether the tables of a database are those of an older or newer MLflow."""
    return "database schema" in str(error)


def is_tls_error(error: Exception) -> bool:
    """Whether a server answered, but without a certificate that this machine accepts."""
    import requests

    return isinstance(error, requests.exceptions.SSLError)
