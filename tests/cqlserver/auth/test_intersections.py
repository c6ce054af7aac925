"""Filters by several columns that change, of what replicas have together: warned of by default, for those who log in and are
no superusers."""

from dataclasses import replace

from auth_server import SETTINGS, AuthSession

from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.errors import InvalidRequest, Unavailable
from protocol.frames import EnvelopeDecoder
from protocol.requests import Query, QueryOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

ONE, TWO, LOCAL_ONE, SERIAL = 1, 2, 10, 8
WARNING = (
    "Guardrail intersect_filtering_query violated: Filtering query with intersection on mutable columns at consistency "
    "level requiring coordinator reconciliation is not recommended. Filtering queries involving an intersection on "
    "multiple mutable (i.e. non-key) columns over unrepaired data at read consistency levels that would require "
    "coordinator reconciliation may violate the guarantees of those consistency levels."
)


def session(**guardrails: object) -> AuthSession:
    environment = Environment(ManualClock(), Rng(b"auth"), FaultyDisk(), InlineWorkers())
    auth = replace(SETTINGS, authorizer="AllowAllAuthorizer")
    node = open_node(Config(data=None, auth=auth, guardrails=guardrails), environment)
    node.describe_itself()
    node.assure_superuser()
    admin = AuthSession(node, "cassandra", "cassandra")
    admin.done("CREATE ROLE alice WITH LOGIN = true AND PASSWORD = 'a'")
    for keyspace, factor in (("two", 2), ("one", 1)):
        admin.done(
            f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}}",
            f"CREATE TABLE {keyspace}.t (k int, c int, s int STATIC, a int, b int, PRIMARY KEY (k, c))",
        )
    return AuthSession(node, "alice", "a")


def asked(who: AuthSession, text: str, level: int) -> responses.Reply:
    who.session.receive(requests.encode(Query(text, QueryOptions(consistency=level)), 4, 0))
    who.session.finish()
    who.session.forget_served()
    output = who.session.take_later() + who.session.take_output()
    version, flags, _, opcode, body = EnvelopeDecoder(4, responses=True).receive_data(output)[0]
    return responses.decode(version, flags, opcode, body)


def told(who: AuthSession, where: str, level: int, keyspace: str = "two") -> tuple[str, ...]:
    reply = asked(who, f"SELECT * FROM {keyspace}.t WHERE {where} ALLOW FILTERING", level)
    if keyspace == "two" and level not in (ONE, LOCAL_ONE):  # there is one node
        assert isinstance(reply.response, responses.Error)
        assert isinstance(reply.response.error, Unavailable)
    return reply.warnings


def test_it_is_warned_of_where_several_replicas_answer() -> None:
    alice = session()
    for where in ("a = 1 AND b = 2", "a > 1 AND b = 2 AND k = 1", "s = 1 AND a = 1"):
        assert told(alice, where, TWO) == (WARNING,), where
        assert told(alice, where, SERIAL) == (WARNING,), where
        assert told(alice, where, ONE) == told(alice, where, LOCAL_ONE) == (), where
        assert told(alice, where, ONE, "one") == (), where
    for where in ("a = 1", "a > 1 AND a < 5", "s = 1", "s = 1 AND c = 2", "c = 1", "a = 1 AND c = 1"):
        assert told(alice, where, TWO) == (), where
    assert told(alice, "a = 1 AND b = 2", 4, "one") == ()  # QUORUM of one


def test_settings_say_whether() -> None:
    assert told(session(intersect_filtering_query_warned=False), "a = 1 AND b = 2", TWO) == ()
    reply = asked(
        session(intersect_filtering_query_enabled=False), "SELECT * FROM two.t WHERE a = 1 AND b = 2 ALLOW FILTERING", TWO
    )
    assert isinstance(reply.response, responses.Error)
    assert isinstance(reply.response.error, InvalidRequest)
    assert reply.response.error.message == WARNING.replace("is not recommended", "is not allowed")
    assert reply.warnings == (reply.response.error.message,)


def test_superusers_are_not_guarded() -> None:
    admin = AuthSession(session().node, "cassandra", "cassandra")
    assert told(admin, "a = 1 AND b = 2", TWO) == ()
