"""What the exceptions of MLflow, and of requests and SQLAlchemy below it, mean.

No other module reads their types or codes. MLflow gives its exceptions an error code. It wraps
those of SQLAlchemy: TEMPORARILY_UNAVAILABLE for a database that does not answer, BAD_REQUEST for
most others. How a failure is reported is in `tracking_store`.
"""

USER_VARIABLES = "MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN"
CERTIFICATE_VARIABLE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
# What a server means that answers with an error, by MLflow's code of it.
REFUSALS = {
    "UNAUTHENTICATED": f"it refuses the user or the token (401); check {USER_VARIABLES}",
    "CUSTOMER_UNAUTHORIZED": f"it refuses the user or the token (401); check {USER_VARIABLES}",
    "PERMISSION_DENIED": "it does not allow this user to do that (403); ask its administrator",
    "ENDPOINT_NOT_FOUND": "there is no MLflow at this path (404); check the address",
}
# The same for what never became an answer, by words of the error.
CONNECTION_ERRORS = {
    "invalid path": f"{CERTIFICATE_VARIABLE} names no file that can be read",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not accepted here; "
    f"{CERTIFICATE_VARIABLE} names the file of the authority that signed it",
    "WRONG_VERSION_NUMBER": "it does not speak TLS; is it http:// instead of https://?",
    "database schema": "it is of another release of MLflow; install that one, or back the store up "
    "and `mlflow db upgrade` it",
    "database is locked": "another program is using it; close that program",
    "readonly database": "its file can only be read here; correct the permissions",
    "is full": "its disk is full; make room",  # SQLite's words and the system's for a file
    "No space left": "its disk is full; make room",
    "disk I/O error": "its disk is full or broken; make room",
}
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


def is_hidden(error: Exception) -> bool:
    """Whether the store may have the object, but not for this user.

    MLflow's own user management answers so for a run that does not exist, too.
    """
    return getattr(error, "error_code", None) == "PERMISSION_DENIED"


def explain(error: BaseException) -> str:
    """Say in a few words what an error means and what to do; "" for any other error."""
    if refusal := REFUSALS.get(getattr(error, "error_code", "")):
        return refusal
    return next((words for key, words in CONNECTION_ERRORS.items() if key in str(error)), "")


def is_tls_error(error: Exception) -> bool:
    """Whether a server answered, but without a certificate that this machine accepts."""
    import requests

    return isinstance(error, requests.exceptions.SSLError)
