"""No proxy between this machine and itself."""

import os

HOSTS = ["127.0.0.1", "localhost", "::1"]


def bypass_proxy() -> None:
    """Let HTTP clients of this process and its children reach local servers directly.

    With `http_proxy` set, they would ask the proxy for 127.0.0.1, which is then another machine.
    """
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if given != "*":
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [given, *HOSTS]))
