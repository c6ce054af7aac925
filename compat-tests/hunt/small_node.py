"""A node in this process, with sessions but no sockets, and a way to ask it."""

from pathlib import Path

from cqlserver.auth import passwords
from cqlserver.connections.session import Session
from cqlserver.node import Node
from cqlserver.program.auth_settings import AuthSettings
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.envelopes import EnvelopeDecoder
from protocol.requests import AuthResponse, Query, Startup
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v text, s int static, PRIMARY KEY (k, c))",
    "CREATE TYPE ks.u (a int, b text)",
    "CREATE TABLE ks.l (k int PRIMARY KEY, f frozen<list<int>>, l list<int>, m map<int, text>, e set<int>, u frozen<u>, "
    "t tuple<int, text>, i varint, d decimal, x vector<float, 2>, n duration)",
    "CREATE TABLE ks.n (k int PRIMARY KEY, v counter)",
)
WITHOUT_ROLES = AuthSettings()
WITH_ROLES = AuthSettings("PasswordAuthenticator", "CassandraAuthorizer")


FLUSH, COMPACT = "flush", "compact"
"""Parts of cases that are no statements: what the node is to do."""
SEGMENT_BYTES = 1 << 14
"""Of the commit log: a history fills several."""


def new_node(disk: FaultyDisk | None = None, clock: ManualClock | None = None, auth: AuthSettings = WITHOUT_ROLES) -> Node:
    data = None if disk is None else Path("/data")
    config = Config(port=0, data=data, auth=auth, commitlog_segment_bytes=SEGMENT_BYTES)
    node = open_node(config, Environment(clock or ManualClock(), Rng(b"hunt"), disk or FaultyDisk(), InlineWorkers()))
    node.describe_itself()
    if auth.requires_login:
        passwords.COST = 4  # the least that bcrypt takes
        node.assure_superuser()
    return node


def stored(node: Node, how: str) -> None:
    """Flushes or compacts everything. Raises what a task raised."""
    engine = node.engine
    tasks = engine.flush(list(engine.stores)) if how == FLUSH else engine.compact(list(engine.stores))
    engine.background.finish()
    for task in tasks:
        if task.error is not None:
            raise task.error


class Client:
    """A session that asks one thing after the other."""

    def __init__(self, node: Node, version: int = 4, user: str = "cassandra") -> None:
        self.session = Session(node, "127.0.0.1", 1)
        self.version = version
        self.session.receive(requests.encode(Startup({"CQL_VERSION": "3.0.0"}), version, 0))
        if node.config.auth.requires_login:
            self.session.receive(requests.encode(AuthResponse(f"\0{user}\0{user}".encode()), version, 0))
        self.output()

    def output(self) -> bytes:
        self.session.finish()
        output = self.session.take_later() + self.session.take_output()
        self.session.forget_served()
        return output

    def ask(self, text: str) -> responses.Response:
        self.session.receive(requests.encode(Query(text), self.version, 1))
        ((version, flags, _, opcode, body),) = EnvelopeDecoder(self.version, responses=True).receive_data(self.output())
        return responses.decode(version, flags, opcode, body).response
