"""`python -m digits.tracking.mlflow_server LINE HOST PORT`: MLflow's server.

It prints the line when it answers. `mlflow server` would start it as a second process, after it
has imported as much itself.
"""

import socket
import sys
from contextlib import suppress

import uvicorn

APPLICATION = "mlflow.server.fastapi_app:app"


class AnnouncingServer(uvicorn.Server):
    """A server that prints a line when it answers requests."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self.line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the line."""
        await super().startup(sockets)
        print(self.line, flush=True)


def main() -> None:
    """Serve until Ctrl-C; the environment names the stores, as `mlflow server` sets it."""
    line, host, port = sys.argv[1:]
    config = uvicorn.Config(APPLICATION, host, int(port), access_log=False)
    with suppress(KeyboardInterrupt):
        AnnouncingServer(config, line).run()


if __name__ == "__main__":
    main()
