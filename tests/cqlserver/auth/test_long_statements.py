"""Statements about roles that are long enough for a strand wait for their hash without holding turns."""

from collections.abc import Callable

from auth_server import SETTINGS, VERSION

from cqlserver.connections.bounds import LONG_BODY_BYTES
from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests
from protocol.frames import EnvelopeDecoder
from protocol.requests import AuthResponse, Query, Startup
from protocol.responses import RESULT
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.errands import Errand
from storage.environment.memory import FaultyDisk
from storage.environment.strands import T, ThreadWorkers


class HeldWorkers(ThreadWorkers):
    """Begins an errand only when it is told to, once `held` is a list."""

    held: list[Errand[object]] | None = None

    def errand(self, function: Callable[[], T]) -> Errand[T]:
        errand = Errand(function)
        if self.held is None:
            errand.run()
        else:
            self.held.append(errand)  # type: ignore[arg-type]
        return errand


def test_a_long_statement_waits_for_its_hash_without_turns() -> None:
    workers = HeldWorkers(ManualClock().monotonic)
    node = open_node(Config(data=None, auth=SETTINGS), Environment(ManualClock(), Rng(b"auth"), FaultyDisk(), workers))
    node.describe_itself()
    node.assure_superuser()
    session = Session(node, "127.0.0.1", 1)
    for request in (Startup({"CQL_VERSION": "3.0.0"}), AuthResponse(b"\0cassandra\0cassandra")):
        session.receive(requests.encode(request, VERSION, 0))
        session.finish()
        session.take_output()
        session.take_later()
    workers.held = []
    text = f"CREATE ROLE alice WITH PASSWORD = 'secret' /* {'long ' * LONG_BODY_BYTES} */"
    session.receive(requests.encode(Query(text), VERSION, 1))
    (unanswered,) = session.take_pending()
    for _ in range(100):
        assert not session.step(unanswered)
        if unanswered.awaited is not None:
            break
    assert unanswered.awaited is workers.held[0], "the listener must know what to wait for"
    workers.held[0].run()
    while not session.step(unanswered):
        pass
    (answer,) = EnvelopeDecoder(VERSION, responses=True).receive_data(session.take_later() + session.take_output())
    assert answer[3] == RESULT
    assert node.access.roles.exists("alice")
