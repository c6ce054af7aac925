"""The short ways of BATCH and QUERY leave what the general ones leave, and give up where they must."""

import struct

import pytest
from small_server import KEYSPACE, TABLE, serving

from cqlserver.connections.session import Session
from cqlserver.node import Node
from cqlserver.plans.fast import query as fast_query
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from grammar.shape import shape
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Batch, BatchEntry, Prepare, Query, QueryOptions

SCHEMA = (
    "CREATE KEYSPACE f WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE f.t (k int, c int, v text, w bigint, PRIMARY KEY (k, c))",
    "CREATE TABLE f.u (k int PRIMARY KEY, v text)",
    "CREATE TABLE f.b (k int PRIMARY KEY, b boolean, v text)",
    "CREATE TABLE f.num (k text, c timestamp, n counter, m counter, PRIMARY KEY (k, c))",
    "CREATE TABLE f.w (k text, l uuid, c timestamp, d smallint, b blob, x double, i inet, a ascii, n varint, "
    "PRIMARY KEY ((k, l), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)",
)
INSERT = "INSERT INTO f.t (k, c, v, w) VALUES (?, ?, ?, ?)"
AT = QueryOptions(timestamp_us=7)


class Client:
    """A session, with or without its short ways."""

    def __init__(self, is_fast: bool, version: int = 4) -> None:
        self.version = version
        node: Node = open_node(Config(data=None))
        node.describe_itself()
        self.session = Session(node, "127.0.0.1", 1)
        self.taken: list[bytes | None] = []
        self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        batch, query = self.session._fast_batch, self.session._fast_query
        self.session._fast_batch = lambda body: self.note(batch(body)) if is_fast else None
        self.session._fast_query = lambda body, keyspace: self.note(query(body, keyspace)) if is_fast else None
        for statement in SCHEMA:
            self.ask(Query(statement))

    def note(self, tail: bytes | None) -> bytes | None:
        self.taken.append(tail)
        return tail

    def ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, self.version, 0))
        self.session.finish()
        self.session.forget_served()
        output = self.session.take_later() + self.session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(self.version, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response

    def prepare(self, text: str) -> bytes:
        prepared = self.ask(Prepare(text))
        assert isinstance(prepared, responses.PreparedResult)
        return prepared.statement_id

    def rows(self) -> list[bytes]:
        """All that is stored, write times too."""
        texts = ("SELECT k, c, v, w, writetime(v) FROM f.t", "SELECT k, v, writetime(v) FROM f.u")
        found = [self.ask(Query(text)) for text in (*texts, "SELECT * FROM f.w", "SELECT * FROM f.b")]
        assert all(isinstance(result, responses.RowsResult) for result in found)
        contents = [result.content for result in found if isinstance(result, responses.RowsResult)]
        assert any(contents)
        return contents


def integer(number: int) -> bytes:
    return struct.pack(">i", number)


def entry(statement_id: bytes, k: int, c: int, v: bytes | None = b"x") -> BatchEntry:
    return BatchEntry(statement_id, (integer(k), integer(c), v, struct.pack(">q", c)))


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("options", [AT, QueryOptions(serial_consistency=9, timestamp_us=7)])
def test_a_batch_of_one_partition_is_written_as_the_general_way_writes_it(kind: int, options: QueryOptions) -> None:
    fast, general = Client(True), Client(False)
    for client in (fast, general):
        statement_id = client.prepare(INSERT)
        entries = tuple(entry(statement_id, 1, c, b"x%d" % (c % 2)) for c in (3, 1, 2, 1))
        assert client.ask(Batch(kind, entries, options)) == responses.VoidResult()
    assert fast.taken[-1] is not None
    assert fast.rows() == general.rows()


def test_what_a_batch_holds_beside_plain_rows_goes_the_general_way() -> None:
    client = Client(True)
    statement_id = client.prepare(INSERT)
    plain = entry(statement_id, 1, 1)
    for odd in (
        Batch(1, (plain, entry(statement_id, 2, 1)), AT),  # two partitions
        Batch(1, (plain, entry(statement_id, 1, 2, None)), AT),  # a null
        Batch(1, (plain, BatchEntry("DELETE FROM f.t WHERE k = 1 AND c = 9", ())), AT),  # a text
        Batch(1, (plain, BatchEntry(statement_id, (integer(1), b"", b"x", bytes(8)))), AT),  # an empty value
        Batch(1, (), AT),
    ):
        client.ask(odd)
        assert client.taken[-1] is None
    assert isinstance(client.ask(Batch(2, (plain,), AT)), responses.Error)  # no counter
    assert isinstance(client.ask(Batch(1, (BatchEntry(bytes(16), ()),), AT)), responses.Error)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO f.t (k, c, v, w) VALUES ({}, 2, 'it''s', -9000000000)",
        "INSERT INTO f.t (k, c, w, v) VALUES (-{}, -1, 1, 'ü')",
        "UPDATE f.t SET v = 'z', w = 3 WHERE k = {} AND c = 4",
        "INSERT INTO f.u (k, v) VALUES ({}, '')",
    ],
)
def test_a_text_is_written_as_the_general_way_writes_it(text: str) -> None:
    fast, general = Client(True), Client(False)
    for client in (fast, general):
        for number in (1, 2, 3):
            assert client.ask(Query(text.format(number), AT)) == responses.VoidResult()
    assert fast.taken[-2] is not None
    assert fast.rows() == general.rows()


WIDE = "INSERT INTO f.w (k, l, c, d, b, x, i, a, n) VALUES ({})"
WIDE_ROWS = (
    "'a', a132b130-ae79-11e4-ab27-0800200c9a66, '2024-01-02 03:04:05', 1, 0xAB, 1.5, '::1', 'b', 123456789012345678901",
    "'ü''', B132b130-ae79-11e4-ab27-0800200c9a66, '2001-01-01', -32768, 0x, -2e3, '127.0.0.1', '', -1",
)


def test_literals_of_many_types_are_written_as_the_general_way_writes_them() -> None:
    fast, general = Client(True), Client(False)
    for client in (fast, general):
        for values in (WIDE_ROWS[0], WIDE_ROWS[0].replace("'b'", "'c'"), WIDE_ROWS[1]):
            assert client.ask(Query(WIDE.format(values), AT)) == responses.VoidResult()
    assert fast.taken[-1] is not None
    assert fast.rows() == general.rows()


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("'a'", "''"),  # one of two columns of the key: no error
        ("'a'", "'" + "x" * 16_300 + "'"),
        ("0xAB", "0xABC"),
        ("'::1'", "'::g'"),
        ("'b'", "'ü'"),
        ("'2024-01-02 03:04:05'", "'2024-13-02'"),
        ("1,", "32768,"),
        ("1.5", "1e999"),
        ("a132b130", "g132b130"),
    ],
)
def test_literals_of_many_types_fail_as_the_general_way_fails(part: str, wrong: str) -> None:
    fast, general = Client(True), Client(False)
    answers = []
    for client in (fast, general):
        for _ in range(2):
            client.ask(Query(WIDE.format(WIDE_ROWS[0]), AT))
        answers.append(client.ask(Query(WIDE.format(WIDE_ROWS[0].replace(part, wrong)), AT)))
    assert str(answers[0]) == str(answers[1])
    assert fast.rows() == general.rows()


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("UPDATE f.u SET v = '1' WHERE k = 1 IF v = '9'", "UPDATE f.u SET v = '1' WHERE k = 99999999999 IF v = '9'"),
        (
            "INSERT INTO f.t (k, c, w) VALUES (1, 1, 1) IF NOT EXISTS",
            "INSERT INTO f.t (k, c, w) VALUES (1, 1, %s) IF NOT EXISTS",
        ),
        ("SELECT * FROM f.u WHERE k = 1 LIMIT 0", "SELECT * FROM f.u WHERE k = 99999999999 LIMIT 0"),
        ("SELECT * FROM f.t WHERE k = 1 AND c IN ()", "SELECT * FROM f.t WHERE k = 99999999999 AND c IN ()"),
    ],
)
def test_wrong_literals_are_found_where_nothing_needs_them(good: str, bad: str) -> None:
    client = Client(True)
    for _ in range(2):
        client.ask(Query(good))
    answer = client.ask(Query(bad.replace("%s", "9" * 20)))
    assert isinstance(answer, responses.Error)
    assert "Unable to make" in str(answer)


TWINS = (
    ("SELECT c, v, w FROM f.t WHERE k = {} AND c = {}", True),
    ("SELECT k, v FROM f.t WHERE k = {}", True),
    ("SELECT * FROM f.w WHERE k = 'ü''{}' AND l = a132b130-ae79-11e4-ab27-0800200c9a66", True),
    ("INSERT INTO f.t (k, c, v) VALUES ({}, 5, 'x{}') IF NOT EXISTS", True),
    ("UPDATE f.num SET n = n + {}, m = m - 2 WHERE k = 'a' AND c = '2024-01-0{}'", True),
    ("SELECT k, v FROM f.t WHERE k = {} LIMIT 1", False),
    ("SELECT k, v FROM f.t WHERE k IN ({}, 2)", False),
    ("SELECT k, max(c) FROM f.t WHERE k = {}", False),
    ("SELECT k FROM f.t WHERE w = {} ALLOW FILTERING", False),
)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(("text", "is_fast"), TWINS)
@pytest.mark.parametrize("options", [QueryOptions(), QueryOptions(page_size=1), QueryOptions(flags=2, page_size=9)])
def test_other_texts_are_answered_as_the_general_way_answers_them(
    text: str, is_fast: bool, options: QueryOptions, version: int
) -> None:
    answers = []
    fast, general = Client(True, version), Client(False, version)
    for client in (fast, general):
        for k in (1, 2):
            for c in (1, 2):
                client.ask(Query(f"INSERT INTO f.t (k, c, v, w) VALUES ({k}, {c}, 'v', 3)", AT))
        client.taken.clear()
        asked = [text.format(number, 10 - number) for number in (1, 2, 3, 9, 8, 99_999_999_999)]
        answers.append([str(client.ask(Query(one, options))) for one in asked])
        answers[-1] += [str(result) for result in client.rows()]
        answers[-1].append(str(client.ask(Query("SELECT * FROM f.num"))))
    assert answers[0][:6] == answers[1][:6]
    assert answers[0][-1] == answers[1][-1]
    if options.page_size != 1 and (not options.flags or text.startswith("SELECT")):
        assert any(tail is not None for tail in fast.taken[:6]) == is_fast


def test_version_5_is_answered_with_the_same_for_each_text_of_a_shape() -> None:
    with serving() as server, server.connect(version=5) as connection:
        connection.query(KEYSPACE)
        connection.query(TABLE)
        for c in range(6):
            connection.query(f"INSERT INTO ks.t (k, c, v) VALUES (1, {c}, 'v')")
        answers = [connection.query(f"SELECT c, v FROM ks.t WHERE k = 1 AND c = {c}").response for c in range(6)]
        known = server.node.statements._known_shapes[5]
        assert any(shape.execute is not None for shapes in known.values() for shape in shapes)
    for c, answer in enumerate(answers):
        assert isinstance(answer, responses.RowsResult)
        assert answer.content == struct.pack(">iiis", 4, c, 1, b"v")
        assert answer.metadata == answers[0].metadata  # type: ignore[union-attr]


def test_wrong_consistencies_of_other_texts_are_refused() -> None:
    client = Client(True)
    for _ in range(3):
        client.ask(Query("SELECT c, v, w FROM f.t WHERE k = 1 AND c = 2"))
    assert client.taken[-1] is not None
    for level in (0, 3, 8):  # ANY, THREE, SERIAL
        answer = client.ask(Query("SELECT c, v, w FROM f.t WHERE k = 1 AND c = 2", QueryOptions(consistency=level)))
        assert isinstance(answer, responses.Error) == (level != 8)


def test_texts_of_a_known_shape_are_not_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[str] = []

    def scan(text: str) -> tuple[str, list[str]] | None:
        scanned.append(text)
        return shape(text)

    monkeypatch.setattr(fast_query, "shape", scan)
    client = Client(True)
    scanned.clear()
    texts = [f"INSERT INTO f.u (k, v) VALUES ({k}, 'v')" for k in range(4)]
    for text in texts:
        client.ask(Query(text, AT))
    assert scanned == texts[:2]


def test_a_changed_schema_is_seen_by_texts_of_a_known_shape() -> None:
    fast, general = Client(True), Client(False)
    for client in (fast, general):
        for k in range(3):
            client.ask(Query(f"INSERT INTO f.u (k, v) VALUES ({k}, 'v')", AT))
        client.ask(Query("DROP TABLE f.u"))
        assert isinstance(client.ask(Query("INSERT INTO f.u (k, v) VALUES (3, 'v')", AT)), responses.Error)
        client.ask(Query("CREATE TABLE f.u (k bigint PRIMARY KEY, v text)"))
        for k in range(4, 7):
            client.ask(Query(f"INSERT INTO f.u (k, v) VALUES ({k}, 'v')", AT))
    assert fast.rows() == general.rows()


def test_constants_stand_beside_literals_of_a_known_shape() -> None:
    fast, general = Client(True), Client(False)
    for client in (fast, general):
        for k in range(4):
            client.ask(Query(f"INSERT INTO f.b (k, b, v) VALUES ({k}, true, 'v')", AT))
    assert fast.taken[-1] is not None
    assert fast.rows() == general.rows()


def test_bytes_that_are_no_text_fail_as_the_general_way_fails() -> None:
    answers = []
    for client in (Client(True), Client(False)):
        for k in range(3):
            client.ask(Query(f"INSERT INTO f.u (k, v) VALUES ({k}, 'v')", AT))
        frame = requests.encode(Query("INSERT INTO f.u (k, v) VALUES (1, '??')", AT), client.version, 0)
        client.session.receive(frame.replace(b"??", b"\xc3("))
        answers.append(client.session.take_output())
        assert answers[-1]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("value", ["99999999999", "'x'", "1.5", "null", "1" * 5000])
def test_a_text_with_another_literal_fails_as_the_general_way_fails(value: str) -> None:
    fast, general = Client(True), Client(False)
    answers = []
    for client in (fast, general):
        for k in range(3):
            client.ask(Query(f"INSERT INTO f.u (k, v) VALUES ({k}, 'a')"))
        answers.append(client.ask(Query(f"INSERT INTO f.u (k, v) VALUES ({value}, 'a')")))
    assert str(answers[0]) == str(answers[1])
    assert isinstance(answers[0], responses.Error)
