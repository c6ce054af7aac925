"""A node where clients log in, in this process, and connections of several roles to it."""

from cqlserver.connections.session import Session
from cqlserver.node import Node
from cqlserver.program.auth_settings import AuthSettings
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.primitives import Value
from protocol.requests import AuthResponse, Execute, Prepare, Query, QueryOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

VERSION = 4
SETTINGS = AuthSettings(authenticator="PasswordAuthenticator", authorizer="CassandraAuthorizer")


def auth_node(settings: AuthSettings = SETTINGS, clock: ManualClock | None = None) -> Node:
    environment = Environment(clock or ManualClock(), Rng(b"auth"), FaultyDisk(), InlineWorkers())
    node = open_node(Config(data=None, auth=settings), environment)
    node.describe_itself()
    node.assure_superuser()
    return node


class AuthSession:
    """One connection; `log_in` says whose."""

    def __init__(self, node: Node, name: str | None = None, password: str = "") -> None:
        self.node, self.session = node, Session(node, "127.0.0.1", 1)
        self.greeting = self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        if name is not None:
            answer = self.log_in(name, password)
            assert isinstance(answer, responses.AuthSuccess), answer

    def log_in(self, name: str, password: str) -> responses.Response:
        return self.ask(AuthResponse(f"\0{name}\0{password}".encode()))

    def ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        output = self.session.take_later() + self.session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(VERSION, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response

    def query(self, text: str) -> responses.Response:
        return self.ask(Query(text))

    def done(self, *texts: str) -> None:
        for text in texts:
            answer = self.query(text)
            assert not isinstance(answer, responses.Error), (text, answer)

    def error(self, text: str) -> str:
        answer = self.query(text)
        assert isinstance(answer, responses.Error), answer
        return answer.error.message

    def prepare(self, text: str) -> bytes:
        answer = self.ask(Prepare(text))
        assert isinstance(answer, responses.PreparedResult), answer
        return answer.statement_id

    def execute(self, statement_id: bytes, *values: Value) -> responses.Response:
        return self.ask(Execute(statement_id, None, QueryOptions(values=values)))
