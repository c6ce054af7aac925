"""HTTP/1.1 on the control port: requests in, operations done, JSON out. h11 knows the protocol, trio the sockets.

    POST /NAME           arguments as a JSON object; an empty body means none
    GET /NAME?a=b        of operations that only read
    GET /openapi.json    what there is, for machines; GET / for people, and for browsers (page/)
    GET /metrics         for Prometheus
    GET /health/live, /health/ready, /health/cluster      for probes

A request is answered 200 and JSON, or with {"error": {"code": ..., "message": ...}}. The port is for programs of this
machine: a request under another host's name (a web page whose name was made to lead here) or from a web page is refused, but
for its own page, which only reads unless the server was started with --control-writes.
"""

import json
import logging
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import h11
import trio

from cqlserver.control import health, page
from cqlserver.control.context import Control, Exclusive, Refused
from cqlserver.control.openapi import document
from cqlserver.control.operation import Operation
from cqlserver.control.operations import BY_NAME, OPERATIONS
from cqlserver.control.raw_json import RawJson
from cqlserver.node import Node
from protocol.errors import RequestError, StorageError

if TYPE_CHECKING:
    from cqlserver.clustering.in_process import LocalCluster
    from cqlserver.metrics.exposition import Exposition

log = logging.getLogger("cqlserver")

RECEIVE_BYTES: Final = 1 << 16
BODY_BYTES_MAX: Final = 16 << 20
REQUEST_S_MAX: Final = 30.0
"""From a request's first byte to its last."""
METRICS: Final = "metrics"
PAGES: Final = ("", "openapi.json", METRICS, *health.PAGES)
"""What is no operation."""
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
_Answer = tuple[HTTPStatus, str, str]
"""Status, text, content type."""
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class _Status(Exception):
    """A request that is answered with something else than 200."""

    def __init__(self, status: HTTPStatus, message: str, allow: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.allow = status, message, allow


class ControlServer:
    """Everything that the connections of one control port share."""

    def __init__(self, node: Node, listener: Exclusive, port: int, cluster: "LocalCluster | None" = None) -> None:
        self.control = Control(node, listener, cluster)
        self._exposition: Exposition | None = None
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._port = port

    async def serve(self, sock: socket.socket) -> None:
        """One connection, until either side ends it."""
        sock.setblocking(False)
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        connection = h11.Connection(h11.SERVER)
        async with stream:
            try:
                while await self._serve_request(stream, connection):
                    connection.start_next_cycle()
            except _BROKEN:
                log.debug("a client of the control port left")
            except Exception as error:  # noqa: BLE001 - told; it ends this connection
                self.control.node.border.tell(error)

    async def _serve_request(self, stream: trio.SocketStream, connection: h11.Connection) -> bool:
        """One request; whether there may be another."""
        try:
            request, body = await _request(stream, connection)
            if request is None:
                return False
            await _respond(stream, connection, *await self._answer(request, body))
        except h11.RemoteProtocolError as error:
            await _respond(stream, connection, HTTPStatus(error.error_status_hint), _error("BadRequest", str(error)))
        except _Status as refused:
            text = _error(refused.status.phrase.replace(" ", ""), refused.message)
            await _respond(stream, connection, refused.status, text, allow=refused.allow)
        except Refused as refused:
            await _respond(stream, connection, HTTPStatus.BAD_REQUEST, _error(refused.code, refused.message))
        except RequestError as error:
            await _respond(stream, connection, HTTPStatus.BAD_REQUEST, _error(type(error).__name__, error.message))
        except (StorageError, OSError) as error:
            log.error("an operation failed: %s", error)
            await _respond(stream, connection, HTTPStatus.INTERNAL_SERVER_ERROR, _error(type(error).__name__, str(error)))
        except _BROKEN:
            raise
        except Exception as error:
            log.error("a bug in this server: %s", error, exc_info=error)
            text = _error("ServerError", f"{type(error).__name__}: {error}")
            await _respond(stream, connection, HTTPStatus.INTERNAL_SERVER_ERROR, text)
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    async def _answer(self, request: h11.Request, body: bytes) -> _Answer:
        headers = dict(request.headers)
        self._check_origin(headers)
        method = request.method.decode()
        parts = urlsplit(request.target.decode("latin-1"))
        name = parts.path.strip("/")
        if not name and method == "GET" and b"text/html" in headers.get(b"accept", b""):
            return HTTPStatus.OK, page.page(), page.HTML
        if name in PAGES:
            if method != "GET":
                raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, f"/{name} is only read: use GET", "GET")
            return await self._page(name)
        operation = BY_NAME.get(name)
        if operation is None:
            raise _Status(HTTPStatus.NOT_FOUND, f"there is no operation {name!r}; there are: {', '.join(BY_NAME)}")
        arguments = _arguments(operation, method, parts.query, body)
        if not self.control.node.config.control_writes and (b"origin" in headers or b"sec-fetch-site" in headers):
            page.check_reads(operation, arguments)
        if operation.is_for_single_nodes and self.control.cluster is not None:
            raise Refused(f"{name} is for single nodes; a cluster can't do it yet")
        if operation.alone:
            async with self.control.lock:
                answer = await operation.run(self.control, **arguments)
        else:
            answer = await operation.run(self.control, **arguments)
        return HTTPStatus.OK, answer if isinstance(answer, RawJson) else json.dumps(answer), JSON

    async def _page(self, name: str) -> _Answer:
        if name == METRICS:
            from cqlserver.metrics.exposition import CONTENT_TYPE, Exposition

            if self._exposition is None:
                self._exposition = Exposition(self.control.node)
            return HTTPStatus.OK, await self._exposition.text(), CONTENT_TYPE
        if name in health.PAGES:
            status, told = await health.health(self.control, name)
            return status, json.dumps(told), JSON
        if not name:
            return HTTPStatus.OK, _overview(), TEXT
        return HTTPStatus.OK, json.dumps(document(self._port)), JSON

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in self._hosts:
            raise _Status(HTTPStatus.FORBIDDEN, f"the control port answers to 127.0.0.1:{self._port}, not to {host!r}")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] not in self._hosts:
            raise _Status(HTTPStatus.FORBIDDEN, "the control port does not answer to web pages")


def _arguments(operation: Operation, method: str, query: str, body: bytes) -> dict[str, object]:
    if method == "GET":
        if not operation.reads:
            raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, f"{operation.name} changes something: use POST", "POST")
        return operation.of_texts(dict(parse_qsl(query, keep_blank_values=True)))
    if method != "POST":
        allow = "GET, POST" if operation.reads else "POST"
        raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} means nothing here: use {allow}", allow)
    try:
        given = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise _Status(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise _Status(HTTPStatus.BAD_REQUEST, "the body must be a JSON object with the arguments' names and values")
    return operation.checked(given)


async def _request(stream: trio.SocketStream, connection: h11.Connection) -> tuple[h11.Request | None, bytes]:
    """The next request with its body; None where the client ended instead."""
    event = await _next_event(stream, connection)
    if not isinstance(event, h11.Request):
        return None, b""
    parts: list[bytes] = []
    size = 0
    with trio.move_on_after(REQUEST_S_MAX):
        while True:
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
                await stream.send_all(go_on or b"")
            part = await _next_event(stream, connection)
            if isinstance(part, h11.EndOfMessage):
                return event, b"".join(parts)
            if not isinstance(part, h11.Data):
                return None, b""
            parts.append(bytes(part.data))
            size += len(part.data)
            if size > BODY_BYTES_MAX:
                raise _Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    raise _Status(HTTPStatus.REQUEST_TIMEOUT, f"the request was not complete after {REQUEST_S_MAX:g} s")


async def _next_event(stream: trio.SocketStream, connection: h11.Connection) -> object:
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(await stream.receive_some(RECEIVE_BYTES))


async def _respond(
    stream: trio.SocketStream,
    connection: h11.Connection,
    status: HTTPStatus,
    text: str,
    content_type: str = JSON,
    allow: str | None = None,
) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    content = text.encode()
    headers = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
    if allow is not None:
        headers.append(("Allow", allow))
    response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
    pieces = [connection.send(event) for event in (response, h11.Data(data=content), h11.EndOfMessage())]
    await stream.send_all(b"".join(piece for piece in pieces if piece))


def _error(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


def _overview() -> str:
    lines = ["Operations of cqlserver's control port. POST /NAME with a JSON object; /openapi.json says it all.", ""]
    for operation in OPERATIONS:
        arguments = " ".join(a.name if a.is_required else f"[{a.name}]" for a in operation.arguments)
        lines.append(f"  {operation.name} {arguments}".ljust(50) + operation.summary)
    return "\n".join(lines) + "\n"
