"""The control port's socket, and the task that accepts on it. What speaks HTTP is imported when somebody comes."""

import errno
import importlib
import logging
import socket
from typing import TYPE_CHECKING, Final

import trio

from cqlserver.control.client import DEFAULT_PORT
from cqlserver.node import Node
from cqlserver.program.control_settings import LOOPBACK

if TYPE_CHECKING:
    from cqlserver.clustering.in_process import LocalCluster
    from cqlserver.control.access import Access
    from cqlserver.control.context import Exclusive
    from cqlserver.control.http import ControlServer

log = logging.getLogger("cqlserver")

BACKLOG: Final = 64
CONNECTIONS_MAX: Final = 256
"""More than that at once are closed at once. Idle ones are kept, of those who may come."""
ACCEPT_PAUSE_S: Final = 0.1


def open_control_socket(port: int, host: str = LOOPBACK) -> socket.socket:
    """A listening socket. The default port gives way to any free one. Raises OSError."""
    try:
        return _bound(host, port)
    except OSError as error:
        if port != DEFAULT_PORT or error.errno != errno.EADDRINUSE:
            raise
        return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


async def serve_control(
    sock: socket.socket,
    node: Node,
    listener: "Exclusive",
    cluster: "LocalCluster | None" = None,
    access: "Access | None" = None,
) -> None:
    """Serves the control port of a node until cancelled. `cluster`: of the nodes of this process, of which it is one;
    `access` None: whoever reaches it may use it."""
    server: ControlServer | None = None
    with sock:
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(sock)
                try:
                    accepted, _ = sock.accept()
                except BlockingIOError:
                    continue
                except OSError as error:  # out of descriptors; or the client left again
                    log.error("the control port can't accept: %s", error.strerror)
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                if len(nursery.child_tasks) >= CONNECTIONS_MAX:
                    accepted.close()
                    continue
                if server is None:
                    server = await _maybe_server(node, listener, sock, cluster, access)
                if server is None:
                    accepted.close()
                    continue
                nursery.start_soon(server.serve, accepted)


async def _maybe_server(
    node: Node,
    listener: "Exclusive",
    sock: socket.socket,
    cluster: "LocalCluster | None",
    access: "Access | None",
) -> "ControlServer | None":
    """None where its code can't be loaded: that is told, and concerns nobody but who asked."""
    try:
        http = await trio.to_thread.run_sync(importlib.import_module, "cqlserver.control.http")
        server: ControlServer = http.ControlServer(node, listener, sock.getsockname()[1], cluster, access)
    except Exception as error:  # noqa: BLE001 - told
        node.border.tell(error)
        return None
    return server
