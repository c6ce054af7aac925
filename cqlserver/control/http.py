"""HTTP/1.1 on the control port: requests in, operations done, JSON out. h11 knows the protocol, trio the sockets.

    POST /NAME           arguments as a JSON object; an empty body means none
    GET /NAME?a=b        of operations that only read
    GET /openapi.json    what there is, for machines; GET / for people, and for browsers (page/)
    GET /metrics         for Prometheus
    GET /health/live, /health/ready, /health/cluster      for probes

A request is answered 200 and JSON, or with {"error": {"code": ..., "message": ...}}. Requests from web pages are refused,
but for the port's own page, which only reads unless the server was started with --control-writes. A port without a token is
for programs of this machine: a request under another host's name (a web page whose name was made to lead here) is refused,
too. One with a token (access.py) gives to those who do not show it nothing but the page, which has no data, and health.
"""

import json
import logging
import math
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    from cqlserver.control.access import Access
    from cqlserver.metrics.exposition import Exposition

log = logging.getLogger("cqlserver")

RECEIVE_BYTES: Final = 1 << 16
BODY_BYTES_MAX: Final = 16 << 20
REQUEST_S_MAX: Final = 30.0
"""From a request's first byte to its last."""
STRANGER_S_MAX: Final = 30.0
"""How long a connection may last on which nobody has shown the token."""
REFUSALS_TOLD_S: Final = 60.0
"""The log tells of strangers once in that time."""
METRICS: Final = "metrics"
PAGES: Final = ("", "openapi.json", METRICS, *health.PAGES)
"""What is no operation."""
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every answer: for browsers."""
_Answer = tuple[HTTPStatus, str, str]
"""Status, text, content type."""
_OWN_SITES: Final = (b"none", b"same-origin")
"""What browsers say of requests that no other site's page makes."""
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class _Status(Exception):
    """A request that is answered with something else than 200."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


@dataclass(slots=True)
class _Guest:
    """A connection. `patience` ends it, unless somebody shows the token on it before."""

    stream: trio.abc.Stream
    address: str
    patience: trio.CancelScope
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))


class ControlServer:
    """Everything that the connections of one control port share."""

    def __init__(
        self,
        node: Node,
        listener: Exclusive,
        port: int,
        cluster: "LocalCluster | None" = None,
        access: "Access | None" = None,
    ) -> None:
        self.control = Control(node, listener, cluster)
        self._exposition: Exposition | None = None
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._port = port
        self._access = access
        self._token = access.token if access is not None else None
        self._refusals, self._tell_from_s = 0, 0.0

    async def serve(self, sock: socket.socket) -> None:
        """One connection, until either side ends it."""
        sock.setblocking(False)
        with trio.CancelScope() as patience:
            if self._token is not None:
                patience.deadline = trio.current_time() + STRANGER_S_MAX
            plain = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            async with plain:
                try:
                    guest = _Guest(await self._encrypted(plain), str(sock.getpeername()[0]), patience)
                    async with guest.stream:
                        while await self._serve_request(guest):
                            guest.http.start_next_cycle()
                except (*_BROKEN, OSError):
                    log.debug("a client of the control port left")
                except Exception as error:  # noqa: BLE001 - told; it ends this connection
                    self.control.node.border.tell(error)

    async def _encrypted(self, plain: trio.SocketStream) -> trio.abc.Stream:
        """The stream as requests are to be read from it."""
        access = self._access
        if access is None or access.tls is None:
            return plain
        from cqlserver.connections.tls import HANDSHAKE

        if access.is_tls_optional and await plain.socket.recv(1, socket.MSG_PEEK) != HANDSHAKE:
            return plain
        stream = trio.SSLStream(plain, access.tls, server_side=True, https_compatible=True)
        await stream.do_handshake()
        return stream

    async def _serve_request(self, guest: _Guest) -> bool:
        """One request; whether there may be another."""
        stream, connection = guest.stream, guest.http
        try:
            request = await _head(stream, connection)
            if request is None:
                return False
            headers = dict(request.headers)
            self._check_origin(request, headers)
            may_all = self._token is None or self._token.is_shown_by(headers.get(b"authorization", b""))
            if may_all:
                guest.patience.deadline = math.inf
            body = await _body(stream, connection, may_all)
            if body is None:
                return False
            if not may_all and not _is_open(request, headers):
                raise self._unauthorized(guest, b"authorization" in headers)
            await _respond(stream, connection, *await self._answer(request, headers, body))
        except h11.RemoteProtocolError as error:
            await _respond(stream, connection, HTTPStatus(error.error_status_hint), _error("BadRequest", str(error)))
        except _Status as refused:
            text = _error(refused.status.phrase.replace(" ", ""), refused.message)
            await _respond(stream, connection, refused.status, text, headers=refused.headers)
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

    async def _answer(self, request: h11.Request, headers: Mapping[bytes, bytes], body: bytes) -> _Answer:
        if _wants_page(request, headers):
            return HTTPStatus.OK, page.page(), page.HTML
        method, query = request.method.decode(), urlsplit(request.target.decode("latin-1")).query
        name = _name(request)
        if name in PAGES:
            if method != "GET":
                raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, f"/{name} is only read: use GET", ("Allow", "GET"))
            return await self._page(name)
        operation = BY_NAME.get(name)
        if operation is None:
            raise _Status(HTTPStatus.NOT_FOUND, f"there is no operation {name!r}; there are: {', '.join(BY_NAME)}")
        arguments = _arguments(operation, method, query, body)
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
        return HTTPStatus.OK, self._document(), JSON

    def _document(self) -> str:
        is_encrypted = self._access is not None and self._access.tls is not None
        return json.dumps(document(self._port, is_encrypted, self._token is not None))

    def _check_origin(self, request: h11.Request, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._token is None and host not in self._hosts:
            raise _Status(HTTPStatus.FORBIDDEN, f"the control port answers to 127.0.0.1:{self._port}, not to {host!r}")
        origin = headers.get(b"origin")
        hosts = self._hosts if self._token is None else {host}
        is_other = origin is not None and origin.decode("latin-1").partition("://")[2] not in hosts
        site = headers.get(b"sec-fetch-site", b"none")
        is_link = headers.get(b"sec-fetch-mode") == b"navigate" and _wants_page(request, headers)
        if is_other or (site not in _OWN_SITES and not is_link):
            raise _Status(HTTPStatus.FORBIDDEN, "the control port does not answer to web pages")

    def _unauthorized(self, guest: _Guest, has_tried: bool) -> _Status:
        """What is answered to who has not shown the token; the log tells, but not of each."""
        self._refusals += 1
        now_s = trio.current_time()
        if now_s >= self._tell_from_s:
            log.warning(
                "The control port refused requests that did not show its token: %d since it was last told, now from %s",
                self._refusals,
                guest.address,
            )
            self._refusals, self._tell_from_s = 0, now_s + REFUSALS_TOLD_S
        told = "this is not the control port's token" if has_tried else "the control port asks for its token"
        message = f"{told}; the server's log says in which file it is"
        return _Status(HTTPStatus.UNAUTHORIZED, message, ("WWW-Authenticate", 'Bearer realm="cqlserver"'))


def _name(request: h11.Request) -> str:
    return urlsplit(request.target.decode("latin-1")).path.strip("/")


def _wants_page(request: h11.Request, headers: Mapping[bytes, bytes]) -> bool:
    return request.method == b"GET" and not _name(request) and b"text/html" in headers.get(b"accept", b"")


def _is_open(request: h11.Request, headers: Mapping[bytes, bytes]) -> bool:
    """Whether it is answered without the token."""
    return _wants_page(request, headers) or _name(request) in health.PAGES


def _arguments(operation: Operation, method: str, query: str, body: bytes) -> dict[str, object]:
    if method == "GET":
        if not operation.reads:
            changes = f"{operation.name} changes something: use POST"
            raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, changes, ("Allow", "POST"))
        return operation.of_texts(dict(parse_qsl(query, keep_blank_values=True)))
    if method != "POST":
        allow = "GET, POST" if operation.reads else "POST"
        raise _Status(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} means nothing here: use {allow}", ("Allow", allow))
    try:
        given = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise _Status(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise _Status(HTTPStatus.BAD_REQUEST, "the body must be a JSON object with the arguments' names and values")
    return operation.checked(given)


async def _head(stream: trio.abc.Stream, connection: h11.Connection) -> h11.Request | None:
    """The next request; None where the client ended instead."""
    event = await _next_event(stream, connection)
    return event if isinstance(event, h11.Request) else None


async def _body(stream: trio.abc.Stream, connection: h11.Connection, is_kept: bool) -> bytes | None:
    """Its body, of which nothing `is_kept` of those who may not send one; None where the client ended instead."""
    parts: list[bytes] = []
    size = 0
    with trio.move_on_after(REQUEST_S_MAX):
        while True:
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
                await stream.send_all(go_on or b"")
            part = await _next_event(stream, connection)
            if isinstance(part, h11.EndOfMessage):
                return b"".join(parts)
            if not isinstance(part, h11.Data):
                return None
            if is_kept:
                parts.append(bytes(part.data))
            size += len(part.data)
            if size > BODY_BYTES_MAX:
                raise _Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    raise _Status(HTTPStatus.REQUEST_TIMEOUT, f"the request was not complete after {REQUEST_S_MAX:g} s")


async def _next_event(stream: trio.abc.Stream, connection: h11.Connection) -> object:
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(bytes(await stream.receive_some(RECEIVE_BYTES)))


async def _respond(
    stream: trio.abc.Stream,
    connection: h11.Connection,
    status: HTTPStatus,
    text: str,
    content_type: str = JSON,
    headers: Iterable[tuple[str, str]] = (),
) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    content = text.encode()
    told = [("Content-Type", content_type), ("Content-Length", str(len(content))), *headers, *_HEADERS]
    response = h11.Response(status_code=status, headers=told, reason=status.phrase.encode())
    pieces = [connection.send(event) for event in (response, h11.Data(data=content), h11.EndOfMessage())]
    await stream.send_all(b"".join(piece for piece in pieces if piece))


def _error(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


def _overview() -> str:
    lines = ["Operations of cqlserver's control port. POST /NAME with a JSON object; /openapi.json says it all.", ""]
    for operation in OPERATIONS:
        arguments = " ".join(a.name if a.is_required else f"[{a.name}]" for a in operation.arguments)
        lines.append(f"  {operation.name} {arguments}".ljust(50) + " " + operation.summary)
    return "\n".join(lines) + "\n"
