"""A session on a node in memory, that asks and answers in this process; with the short ways of EXECUTE or without."""

from collections.abc import Sequence

from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.primitives import Value
from protocol.requests import Execute, Prepare, Query, QueryOptions

VERSION = 4


class SmallSession:
    """`taken`: whether each EXECUTE took its short way."""

    def __init__(self, is_fast: bool, schema: Sequence[str]) -> None:
        node = open_node(Config(data=None))
        node.describe_itself()
        self.node, self.session = node, Session(node, "127.0.0.1", 1)
        self.taken: list[bool] = []
        self.is_fast, self.ids = is_fast, dict[str, bytes]()
        self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        for statement in schema:
            self.ask(Query(statement))

    def ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        output = self.session.take_later() + self.session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(VERSION, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response

    def execute(self, text: str, *values: Value, timestamp_us: int | None = None, serial: int = 8) -> responses.Response:
        if text not in self.ids:
            prepared = self.ask(Prepare(text))
            assert isinstance(prepared, responses.PreparedResult), prepared
            self.ids[text] = prepared.statement_id
        paths = self.node.statements.fast_paths(VERSION)
        fast = paths.get(self.ids[text]) if self.is_fast else None

        def note(body: bytes) -> bytes | None:
            assert fast is not None
            tail = fast(body)
            self.taken.append(tail is not None)
            return tail

        self.session._fast = {self.ids[text]: note} if fast is not None else {}
        options = QueryOptions(values=values, timestamp_us=timestamp_us, serial_consistency=serial)
        return self.ask(Execute(self.ids[text], None, options))

    def rows(self, *texts: str) -> list[bytes]:
        found = [self.ask(Query(text)) for text in texts]
        return [result.content for result in found if isinstance(result, responses.RowsResult)]
