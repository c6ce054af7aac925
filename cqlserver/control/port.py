"""The control port's socket, and the task that accepts on it. What speaks HTTP is imported when somebody comes."""

import errno
import importlib
import logging
import socket
from typing import TYPE_CHECKING, Final

import trio

from cqlserver.control.client import DEFAULT_PORT
from cqlserver.node import Node

if TYPE_CHECKING:
    from cqlserver.clustering.in_process import LocalCluster
    from cqlserver.control.context import Exclusive
    from cqlserver.control.http import ControlServer

log = logging.getLogger("cqlserver")

HOST: Final = "127.0.0.1"
BACKLOG: Final = 64
CONNECTIONS_MAX: Final = 256
"""More than that at once are closed at once: they are from this machine, and idle ones are kept."""
ACCEPT_PAUSE_S: Final = 0.1


def open_control_socket(port: int) -> socket.socket:
    """A listening socket on the loopback interface. The default port gives way to any free one. Raises OSError."""
    try:
        return _bound(port)
    except OSError as error:
        if port != DEFAULT_PORT or error.errno != errno.EADDRINUSE:
            raise
        return _bound(0)


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((HOST, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


async def serve_control(
    sock: socket.socket, node: Node, listener: "Exclusive", cluster: "LocalCluster | None" = None
) -> None:
    """Serves the control port of a node until cancelled. `cluster`: of the nodes of this process, of which it is one."""
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
                    server = await _maybe_server(node, listener, sock, cluster)
                if server is None:
                    accepted.close()
                    continue
                nursery.start_soon(server.serve, accepted)


async def _maybe_server(
    node: Node, listener: "Exclusive", sock: socket.socket, cluster: "LocalCluster | None"
) -> "ControlServer | None":
    """None where its code can't be loaded: that is told, and concerns nobody but who asked."""
    try:
        http = await trio.to_thread.run_sync(importlib.import_module, "cqlserver.control.http")
        server: ControlServer = http.ControlServer(node, listener, sock.getsockname()[1], cluster)
    except Exception as error:  # noqa: BLE001 - told
        node.border.tell(error)
        return None
    return server
