"""One server's side of the comparison: what statements take of requests, and the envelopes that came back.

Envelopes are kept as bytes: most are equal on both sides, and need not be read by anybody.
"""

import re
import socket
import time
from collections.abc import Generator, Iterable, Sequence
from typing import Final, NamedTuple

from harness.runner import Address

from protocol import responses
from protocol.client import Connection
from protocol.errors import ProtocolError, Unprepared
from protocol.frames import Envelope, raise_refusal
from protocol.requests import Execute, Prepare, Query, QueryOptions, Request
from protocol.responses import Error, PreparedResult, Reply, Response, RowsResult
from twins.statement import Statement

PAGES_MAX: Final = 8
TIMEOUT_S: Final = 300.0
AWAITED_S: Final = 20.0
TRIES_MAX: Final = 5
"""Of statements that the server forgets between PREPARE and EXECUTE."""
PAUSE_S: Final = 0.02
"""Between two looks at what is awaited."""


_SURROGATES = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


class Raw(NamedTuple):
    """An envelope's content; `reply()` reads it."""

    version: int
    flags: int
    opcode: int
    body: bytes

    def reply(self) -> Reply:
        """A Cassandra writes halves of surrogate pairs into its messages: they are no text."""
        try:
            return responses.decode(*self)
        except ProtocolError:
            return responses.decode(*self._replace(body=_SURROGATES.sub(b"???", self.body)))


class RawConnection(Connection):
    """Keeps replies as they came."""

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        self._raw: dict[int, Raw] = {}
        super().__init__(*arguments, **options)

    def _take(self, envelopes: Sequence[Envelope]) -> None:
        for version, flags, stream, opcode, body in envelopes:
            self._raw[stream] = Raw(version, flags, opcode, bytes(body))
        if self._decoder.refusals:
            raise_refusal(self._decoder.refusals.pop(0))

    def receive(self, stream: int) -> Reply:
        return self.receive_raw(stream).reply()

    def receive_raw(self, stream: int) -> Raw:
        while stream not in self._raw:
            self._receive_some()
        return self._raw.pop(stream)


class Exchange:
    """One statement with one server: what came back so far. `prepared`: the answer to PREPARE, where it is prepared."""

    __slots__ = ("_conversation", "connection", "error", "pages", "pending", "prepared", "statement")

    def __init__(self, statement: Statement, connection: RawConnection) -> None:
        self.statement, self.connection = statement, connection
        self.prepared: Raw | None = None
        self.pages: list[Raw] = []
        self._conversation = self._requests()
        self.pending: Request | None = next(self._conversation)

    def take(self, raw: Raw) -> None:
        try:
            self.pending = self._conversation.send(raw)
        except StopIteration:
            self.pending = None

    def _requests(self) -> Generator[Request, Raw, None]:
        given = self.statement
        options = QueryOptions(
            consistency=given.consistency, values=given.values(), page_size=given.page_size, now_s=given.now_s
        )
        prepared: PreparedResult | None = None
        text = given.text()
        if given.prepared:
            prepared = yield from self._prepared(text)
            if prepared is None:
                return

        def asked(options: QueryOptions) -> Generator[Request, Raw, Raw]:
            nonlocal prepared
            raw = yield _request(prepared, text, options)
            tries = 0
            while prepared is not None and tries < TRIES_MAX and _is_unprepared(raw):
                tries += 1
                prepared = yield from self._prepared(text)
                raw = yield _request(prepared, text, options)
            return raw

        raw = yield from asked(options)
        until = time.monotonic() + AWAITED_S
        while given.awaits_rows and _lacks_rows(raw.reply().response) and time.monotonic() < until:
            time.sleep(PAUSE_S)
            raw = yield from asked(options)
        self.pages.append(raw)
        while given.page_size > 0 and len(self.pages) < PAGES_MAX:
            last = self.pages[-1].reply().response
            if not isinstance(last, RowsResult) or last.paging_state is None:
                break
            self.pages.append((yield from asked(options._replace(paging_state=last.paging_state))))

    def _prepared(self, text: str) -> Generator[Request, Raw, PreparedResult | None]:
        """None where it is refused."""
        self.prepared = yield Prepare(text)
        found = self.prepared.reply().response
        return found if isinstance(found, PreparedResult) else None

    @property
    def response(self) -> Response:
        """The first answer, or what PREPARE was refused with."""
        raw = self.pages[0] if self.pages else self.prepared
        assert raw is not None
        return raw.reply().response


def _request(prepared: PreparedResult | None, text: str, options: QueryOptions) -> Request:
    if prepared is None:
        return Query(text, options)
    return Execute(prepared.statement_id, prepared.result_metadata_id, options)


def _is_unprepared(raw: Raw) -> bool:
    """Forgotten meanwhile: schema changes of other rounds, and a small cache, do that."""
    response = raw.reply().response
    return isinstance(response, Error) and isinstance(response.error, Unprepared)


def _lacks_rows(response: Response) -> bool:
    return isinstance(response, RowsResult) and not response.row_count


class Server:
    """One of the two, with a connection per protocol version and role."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connections: dict[tuple[int, tuple[str, str] | None], RawConnection] = {}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def query(self, text: str) -> Response:
        return self.connection(5, None).query(text).response

    def connection(self, version: int, role: tuple[str, str] | None) -> RawConnection:
        place = version, role
        if place not in self._connections:
            stream = socket.create_connection((self._address.host, self._address.port), timeout=TIMEOUT_S)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[place] = RawConnection(stream, version, None, role)
        return self._connections[place]

    def begun(self, statements: Iterable[Statement]) -> list[Exchange]:
        return [Exchange(each, self.connection(each.version, each.role)) for each in statements]


def converse(exchanges: Sequence[Exchange]) -> None:
    """Everything the exchanges, of both servers, ask: what does not wait for an answer goes out at once. Raises OSError,
    CqlServerError where a connection is lost."""
    asking = list(exchanges)
    while asking := [each for each in asking if each.pending is not None]:
        of_connections: dict[int, tuple[RawConnection, list[Exchange]]] = {}
        for each in asking:
            of_connections.setdefault(id(each.connection), (each.connection, []))[1].append(each)
        sent = [
            (connection, waiting, connection.send_many([each.pending for each in waiting if each.pending is not None]))
            for connection, waiting in of_connections.values()
        ]
        for connection, waiting, streams in sent:
            for each, stream in zip(waiting, streams, strict=True):
                each.take(connection.receive_raw(stream))
