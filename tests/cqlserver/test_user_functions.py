"""User-defined functions of a whole server: restarts, settings, and functions that never end."""

from small_server import done, failed, serving

from protocol.requests import Query, QueryOptions
from protocol.responses import RowsResult
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
DOUBLE = "CREATE FUNCTION k.d (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return a * 2;$$"
ENDLESS = "CREATE FUNCTION k.e (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$while (true) a++;$$"


class AdvancingClock(ManualClock):
    """It moves each time that somebody looks."""

    def monotonic(self) -> float:
        self.advance(0.002)
        return super().monotonic()


def values(reply: object) -> list[list[bytes | None]]:
    response = done(reply).response  # type: ignore[arg-type]
    assert isinstance(response, RowsResult), response
    return [list(row) for row in response.rows()]


def test_functions_and_aggregates_are_there_after_a_restart() -> None:
    disk = FaultyDisk()
    with serving(disk) as server, server.connect() as connection:
        for text in (
            KEYSPACE,
            "CREATE TYPE k.ut (n int)",
            "CREATE TABLE k.t (a int PRIMARY KEY, u k.ut)",
            "INSERT INTO k.t (a, u) VALUES (4, {n: 6})",
            DOUBLE,
            "CREATE FUNCTION k.u (a ut) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return a.getInt(\"n\");$$",
            "CREATE FUNCTION k.s (s int, a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return s + a;$$",
            "CREATE AGGREGATE k.g (int) SFUNC s STYPE int INITCOND 10",
        ):
            done(connection.query(text))
        server.node.engine.close()
    with serving(disk) as server, server.connect() as connection:
        assert values(connection.query("SELECT k.d(a), k.u(u), k.g(a) FROM k.t")) == [
            [(8).to_bytes(4), (6).to_bytes(4), (14).to_bytes(4)]
        ]


def test_prepared_statements_follow_a_replaced_function() -> None:
    with serving() as server, server.connect() as connection:
        for text in (KEYSPACE, "CREATE TABLE k.t (a int PRIMARY KEY)", "INSERT INTO k.t (a) VALUES (4)", DOUBLE):
            done(connection.query(text))
        assert values(connection.query("SELECT k.d(a) FROM k.t")) == [[(8).to_bytes(4)]]
        done(connection.query(DOUBLE.replace("CREATE", "CREATE OR REPLACE").replace("* 2", "* 3")))
        assert values(connection.query("SELECT k.d(a) FROM k.t")) == [[(12).to_bytes(4)]]
        done(connection.query("DROP FUNCTION k.d"))
        assert failed(connection.query("SELECT k.d(a) FROM k.t")) == "InvalidRequest: Unknown function 'k.d'"


def test_functions_can_be_switched_off() -> None:
    disabled = (
        "InvalidRequest: User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to "
        "enable"
    )
    disk = FaultyDisk()
    with serving(disk) as server, server.connect() as connection:
        for text in (KEYSPACE, "CREATE TABLE k.t (a int PRIMARY KEY)", "INSERT INTO k.t (a) VALUES (4)", DOUBLE):
            done(connection.query(text))
        server.node.engine.close()
    with serving(disk, user_defined_functions_enabled=False) as server, server.connect() as connection:
        assert failed(connection.query(ENDLESS)) == disabled
        assert failed(connection.query("SELECT k.d(a) FROM k.t")) == disabled


def test_a_function_that_never_ends_is_stopped_and_others_are_served_meanwhile() -> None:
    clock = AdvancingClock()
    settings = {"user_defined_functions_warn_timeout_ms": 100, "user_defined_functions_fail_timeout_ms": 1_000}
    with serving(clock=clock, **settings) as server, server.connect() as connection, server.connect() as other:
        for text in (KEYSPACE, "CREATE TABLE k.t (a int PRIMARY KEY)", "INSERT INTO k.t (a) VALUES (4)", ENDLESS):
            done(connection.query(text))
        stream = connection.send(Query("SELECT k.e(a) FROM k.t", QueryOptions(consistency=1)))
        assert values(other.query("SELECT a FROM k.t")) == [[(4).to_bytes(4)]]
        reply = connection.receive(stream)
        error = failed(reply)
        assert list(reply.warnings) == ["User defined function k.e : (int) -> int ran longer than 100ms"]
        assert error == (
            "FunctionFailure: java.util.concurrent.TimeoutException: User defined function k.e : (int) -> int ran longer "
            "than 1000ms"
        )
