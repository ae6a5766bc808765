"""The server of one process: it ends without dropping what it was asked."""

import asyncio
import ctypes
import select
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvicorn

from stages.serving.limits import Limits
from stages.serving.protocol import Protocol
from stages.serving.served import Holder

SO_ATTACH_FILTER = 26  # Linux
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # a packet filter that takes 0 bytes of each
TICK = 0.02  # seconds


class Server(uvicorn.Server):
    """Uvicorn's server around `app`, with a background task and a patient end."""

    def __init__(
        self,
        app: Any,
        holder: Holder,
        limits: Limits,
        background: Callable[[], Awaitable[None]],
        ready: Callable[[], None],
        *,
        alone: bool = True,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Protocol, limits),  # type: ignore[arg-type]
                ws="none",
                loop="uvloop",
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                backlog=limits.connections,
                timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]
                timeout_graceful_shutdown=limits.finish_seconds,  # type: ignore[arg-type]
            )
        )
        self.holder, self.limits, self.background = holder, limits, background
        self.ready, self.alone = ready, alone

    async def main_loop(self) -> None:
        """Say that requests are answered from now on; do so until a signal."""
        self.ready()
        task = asyncio.ensure_future(self.background())
        try:
            await super().main_loop()
        finally:
            task.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connection; answer what was sent on the open ones; end.

        A client may have sent a request that is still on its way through this computer, on
        a connection that waits to be accepted or that seems idle: both are waited for.
        """
        self.holder.leaving = True
        loop = asyncio.get_running_loop()
        until = loop.time() + self.limits.linger_seconds
        for listening in sockets or [] if self.alone else []:
            refuse_new(listening)
            while pending(listening) and loop.time() < until:
                await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.leave()  # type: ignore[union-attr]
        while self.server_state.connections and loop.time() < until:
            await asyncio.sleep(TICK)
        await super().shutdown(sockets)


def refuse_new(listening: socket.socket) -> None:
    """Let no new connection in, while those that wait in the queue can still be accepted.

    Closing the socket would reset these, with the requests that they carry.
    """
    if sys.platform == "linux":
        code = ctypes.create_string_buffer(DROP_ALL)
        program = struct.pack("HP", 1, ctypes.addressof(code))
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def pending(listening: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    return bool(select.select([listening], [], [], 0)[0])
