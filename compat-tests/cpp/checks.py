"""Checks through the C++ driver (bound to Python by acsylla), one line each: "ok name" or "FAIL name: why".

Arguments: host, port, keyspace. Each check runs with protocol v3 and v4, in tables of its own version; the keyspace is made
and dropped here. test_cpp_driver.py runs this in an environment of its own.
"""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import acsylla
from acsylla import errors

HOST, PORT, KEYSPACE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
ROWS = 250
TIMEOUT_S = 20.0


async def connect(version: int, **options: Any) -> Any:
    cluster = acsylla.create_cluster(
        [HOST],
        port=PORT,
        protocol_version=version,
        connect_timeout=TIMEOUT_S,
        request_timeout=TIMEOUT_S,
        consistency=acsylla.Consistency.ONE,
        tracing_max_wait_time_ms=5000,
        log_level="error",
        **options,
    )
    return await cluster.create_session()


async def check(name: str, run: Callable[[], Awaitable[None]]) -> None:
    try:
        await run()
    except Exception as error:  # noqa: BLE001  # whatever fails is the check's outcome
        print(f"FAIL {name}: {type(error).__name__} {error}".replace("\n", " "))
    else:
        print(f"ok {name}")


def same(expected: object, found: object) -> None:
    assert expected == found, f"expected {expected!r}, found {found!r}"


class Checks:
    def __init__(self, session: Any, version: int) -> None:
        self.session, self.number = session, version

    def table(self, name: str) -> str:
        return f"{KEYSPACE}.{name}_v{self.number}"

    async def run(self, text: str, values: list[Any] | None = None) -> Any:
        """Prepared where there are values."""
        if values is None:
            return await self.session.query(text)
        return await (await self.session.prepared_query(text))(values)

    async def raises(self, kind: type[Exception], text: str, message: str) -> None:
        try:
            await self.session.query(text)
        except kind as error:
            same(message, str(error)[: len(message)])
        else:
            raise AssertionError(f"expected {kind.__name__}, found nothing")

    async def connected(self) -> None:
        row = (await self.run("SELECT release_version, partitioner FROM system.local")).first()
        same("5.0.8", row.release_version)
        same((5, 0, 8), tuple(self.session.get_metadata().get_version())[:3])

    async def big_values(self) -> None:
        table = self.table("big")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v blob)")
        for number, size in enumerate((0, 1, 1000, 131_071, 131_072, 1_048_576)):
            value = bytes((i * 31 + i // 257) & 255 for i in range(size))
            await self.run(f"INSERT INTO {table} (k, v) VALUES (?, ?)", [number, value])
            found = (await self.run(f"SELECT v FROM {table} WHERE k = ?", [number])).first()
            assert bytes(found.v) == value, f"{size} bytes"

    async def metadata(self) -> None:
        name = f"events_v{self.number}"
        await self.run(
            f"CREATE TABLE {KEYSPACE}.{name} (a uuid, b date, c timestamp, d int, s text STATIC,"
            " v map<text, frozen<list<int>>>, home frozen<address>, PRIMARY KEY ((a, b), c, d))"
            " WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s'"
        )
        session = await connect(self.number)
        metadata = session.get_metadata()
        assert name in metadata.get_tables(KEYSPACE), metadata.get_tables(KEYSPACE)
        same(["address"], metadata.get_user_types(KEYSPACE))
        table = metadata.get_table_meta(KEYSPACE, name)
        kinds = {column.name: column.kind for column in table.columns}
        same({"a", "b", "c", "d", "s", "v", "home"}, set(kinds))
        same(1, len({kinds["a"], kinds["b"]}))
        same(4, len(set(kinds.values())))
        await session.close()

    async def simple(self) -> None:
        table = self.table("simple")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v text, n bigint)")
        await self.run(f"INSERT INTO {table} (k, v, n) VALUES (1, 'one', 3)")
        row = (await self.run(f"SELECT * FROM {table} WHERE k = 1")).first()
        same({"k": 1, "n": 3, "v": "one"}, row.as_dict())
        totals = await self.run(f"SELECT count(*) AS total, max(k) FROM {table}")
        same(["total", "system.max(k)"], list(totals.columns_names()))
        statement = acsylla.create_statement(f"UPDATE {table} SET v = 'stamped' WHERE k = 4")
        statement.set_timestamp(1234)
        await self.session.execute(statement)
        same(1234, (await self.run(f"SELECT writetime(v) AS w FROM {table} WHERE k = 4")).first().w)
        used = await connect(self.number)
        await used.use_keyspace(KEYSPACE)
        same(2, len(await used.query(f"SELECT k FROM simple_v{self.number}")))
        await used.close()

    async def prepared(self) -> None:
        table = self.table("prepared")
        await self.run(f"CREATE TABLE {table} (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))")
        insert = await self.session.prepared_query(
            f"INSERT INTO {table} (v, c, b, a) VALUES (:v, :c, :b, :a) USING TTL :ttl"
        )
        await insert({"a": 1, "b": "b", "c": 1, "v": "first", "ttl": 1000})
        await insert({"a": 1, "b": "b", "c": 2, "v": None, "ttl": 0})
        found = await self.run(
            f"SELECT c, v, ttl(v) AS t FROM {table} WHERE a = ? AND b = ? AND c IN ?", [1, "b", (1, 2, 3)]
        )
        rows = [row.as_tuple() for row in found]
        same([(1, "first"), (2, None)], [row[:2] for row in rows])
        assert rows[0][2] > 900

    async def at_once(self) -> None:
        table = self.table("at_once")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v int)")
        insert = await self.session.prepared_query(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
        select = await self.session.prepared_query(f"SELECT v FROM {table} WHERE k = ?")

        async def send(prepared: Any, values: list[int]) -> Any:
            return await prepared(values)

        await asyncio.gather(*(send(insert, [i, i * i]) for i in range(1000)))
        found = await asyncio.gather(*(send(select, [i]) for i in range(1000)))
        same([i * i for i in range(1000)], [result.first().v for result in found])

    async def batch(self) -> None:
        table = self.table("batch")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v text)")
        insert = await self.session.create_prepared(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
        for name, batch in (("logged", acsylla.create_batch_logged()), ("unlogged", acsylla.create_batch_unlogged())):
            statement = insert.bind()
            statement.bind_list([1, name])
            batch.add_statement(statement)
            batch.add_statement(acsylla.create_statement(f"INSERT INTO {table} (k, v) VALUES (2, '{name}')"))
            await self.session.execute_batch(batch)
            same([name, name], [row.v for row in await self.run(f"SELECT v FROM {table}")])

    async def lwt(self) -> None:
        table = self.table("lwt")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v text)")
        insert = f"INSERT INTO {table} (k, v) VALUES (?, ?) IF NOT EXISTS"
        same((True,), (await self.run(insert, [1, "a"])).first().as_tuple())
        refused = await self.run(insert, [1, "b"])
        same(["[applied]", "k", "v"], list(refused.columns_names()))
        same((False, 1, "a"), refused.first().as_tuple())

    async def paging(self) -> None:
        table = self.table("paging")
        await self.run(f"CREATE TABLE {table} (k int, c int, PRIMARY KEY (k, c))")
        insert = await self.session.prepared_query(f"INSERT INTO {table} (k, c) VALUES (?, ?)")
        for c in range(ROWS):
            await insert([c % 2, c])
        statement = acsylla.create_statement(f"SELECT c FROM {table} WHERE k = 1")
        statement.set_page_size(20)
        found: list[int] = []
        while True:
            result = await self.session.execute(statement)
            found += [row.c for row in result]
            if not result.has_more_pages():
                break
            same(0, len(found) % 20)
            statement.set_page_state(result.page_state())
        same(list(range(1, ROWS, 2)), found)

    async def native_types(self) -> None:
        values = {
            "ascii": "ascii",
            "bigint": -(2**63),
            "blob": b"\x00\xff",
            "boolean": True,
            "decimal": Decimal("-12345678901234567890.123456789"),
            "double": -0.5,
            "duration": "2d3us",
            "float": 1.25,
            "inet": "2001:db8::1",
            "int": -(2**31),
            "text": "naïve 日本語 \U0001f600",
            "timestamp": datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
            "timeuuid": uuid.uuid1(),
            "uuid": uuid.uuid4(),
            "varchar": "varchar",
        }
        if self.number >= 4:  # types with codes of their own since then
            values |= {"date": date(1969, 12, 31), "smallint": -300, "time": time(23, 59, 59, 999999), "tinyint": -7}
        table = self.table("natives")
        definitions = ", ".join(f"c_{name} {name}" for name in values)
        columns = ", ".join(f"c_{name}" for name in values)
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, {definitions})")
        insert = f"INSERT INTO {table} (k, {columns}) VALUES (?{', ?' * len(values)})"
        await self.run(insert, [1, *values.values()])
        await self.run(insert, [2, *(None for _ in values)])
        row = (await self.run(f"SELECT {columns} FROM {table} WHERE k = ?", [1])).first().as_dict()
        for name, value in values.items():
            same(f"{name} {value}", f"{name} {row[f'c_{name}']}")
        empty = (await self.run(f"SELECT {columns} FROM {table} WHERE k = ?", [2])).first().as_tuple()
        same({None}, set(empty))

    async def collections(self) -> None:
        table = self.table("collections")
        await self.run(
            f"CREATE TABLE {table} (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>,"
            " n frozen<map<int, frozen<list<text>>>>, t tuple<int, text>, home frozen<address>)"
        )
        values = [1, [3, 1, 3], {"b", "a"}, {"x": 1}, {1: ["p", "q"]}, (7, "seven"), {"street": "Main", "zip": 12}]
        await self.run(f"INSERT INTO {table} (k, l, s, m, n, t, home) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        await self.run(f"UPDATE {table} SET l = l + ?, m[?] = ? WHERE k = ?", [[9], "y", 2, 1])
        row = (await self.run(f"SELECT l, s, m, n, t, home FROM {table}")).first()
        same([3, 1, 3, 9], list(row.l))
        same({"a", "b"}, set(row.s))
        same({"x": 1, "y": 2}, dict(row.m))
        same({1: ["p", "q"]}, {key: list(value) for key, value in dict(row.n).items()})
        same((7, "seven"), tuple(row.t))
        same({"street": "Main", "zip": 12}, dict(row.home))

    async def errors(self) -> None:
        table = self.table("errors")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY, v int)")
        for kind, text, message in (
            (errors.CassErrorServerSyntaxError, f"SELEC * FROM {table}", "Syntax error: line 1:0"),
            (
                errors.CassErrorServerInvalidQuery,
                f"SELECT nope FROM {table}",
                "Invalid query: Undefined column name nope",
            ),
            (
                errors.CassErrorServerAlreadyExists,
                f"CREATE TABLE {table} (k int PRIMARY KEY)",
                "Already exists: Cannot add",
            ),
        ):
            await self.raises(kind, text, message)
        statement = acsylla.create_statement(f"SELECT * FROM {table} WHERE k = 1")
        statement.set_consistency(acsylla.Consistency.THREE)
        statement.set_retry_policy("fallthrough")  # or the driver tries all hosts, and says that there is none
        try:
            await self.session.execute(statement)
        except errors.CassErrorServerUnavailable:
            return
        raise AssertionError("expected Unavailable")

    async def tracing(self) -> None:
        table = self.table("traced")
        await self.run(f"CREATE TABLE {table} (k int PRIMARY KEY)")
        statement = acsylla.create_statement(f"SELECT * FROM {table}")
        statement.set_tracing(True)
        result = await self.session.execute(statement)
        traces = f"SELECT request, parameters FROM system_traces.sessions WHERE session_id = {result.tracing_id}"
        row = (await self.run(traces)).first()
        same("Execute CQL3 query", row.request)
        same(f"SELECT * FROM {table}", dict(row.parameters)["query"])


NAMES = {
    "connect": Checks.connected,
    "values": Checks.big_values,
    "paging": Checks.paging,
    "metadata": Checks.metadata,
    "simple": Checks.simple,
    "prepared": Checks.prepared,
    "at_once": Checks.at_once,
    "batch": Checks.batch,
    "lwt": Checks.lwt,
    "native_types": Checks.native_types,
    "collections": Checks.collections,
    "errors": Checks.errors,
    "tracing": Checks.tracing,
}


async def main() -> None:
    admin = await connect(4)
    await admin.query(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {REPLICATION}")
    try:
        await admin.query(f"CREATE TYPE {KEYSPACE}.address (street text, zip int)")
        for version in (3, 4):
            session = await connect(version)
            checks = Checks(session, version)
            for name, run in NAMES.items():
                await check(f"{name}_v{version}", lambda run=run, checks=checks: run(checks))
            await session.close()
    finally:
        await admin.query(f"DROP KEYSPACE {KEYSPACE}")


asyncio.run(main())
