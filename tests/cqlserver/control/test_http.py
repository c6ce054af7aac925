"""The control port as anybody meets it: HTTP, its refusals, the OpenAPI document."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

import cqlserver
from cqlserver.control.audit_operations import AUDIT_OPERATIONS
from cqlserver.control.client import ControlClient, ControlError
from cqlserver.control.cluster_operations import CLUSTER_OPERATIONS
from cqlserver.control.http import BODY_BYTES_MAX
from cqlserver.control.metric_operations import METRIC_OPERATIONS
from cqlserver.control.movement_operations import MOVEMENT_OPERATIONS
from cqlserver.control.network_operations import NETWORK_OPERATIONS
from cqlserver.control.operations import OPERATIONS
from cqlserver.control.storage_operations import STORAGE_OPERATIONS

pytestmark = pytest.mark.slow

NODETOOLS = (
    *STORAGE_OPERATIONS,
    *CLUSTER_OPERATIONS,
    *AUDIT_OPERATIONS,
    *METRIC_OPERATIONS,
    *MOVEMENT_OPERATIONS,
    *NETWORK_OPERATIONS,
)
"""For nodetool: the launcher has no methods of their names."""


@pytest.fixture(scope="module")
def server() -> Iterator[cqlserver.Server]:
    with cqlserver.start() as server:
        yield server


def ask(server: cqlserver.Server, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.control_port, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def refused(
    server: cqlserver.Server, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, str, str]:
    status, text = ask(server, method, path, body, **headers)
    error = json.loads(text)["error"]
    return status, error["code"], error["message"]


def test_operations_are_posted_and_what_only_reads_may_be_got(server: cqlserver.Server) -> None:
    assert ask(server, "POST", "/snapshot", '{"name": "a"}') == (200, "{}")
    assert ask(server, "GET", "/snapshots") == (200, '{"snapshots": ["a"]}')
    assert ask(server, "POST", "/snapshots") == (200, '{"snapshots": ["a"]}')
    assert ask(server, "POST", "/forget", '{"name": "a"}') == (200, "{}")
    assert refused(server, "GET", "/reset") == (405, "MethodNotAllowed", "reset changes something: use POST")
    assert refused(server, "DELETE", "/snapshots")[:2] == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/rest", "", (404, "NotFound", "there is no operation 'rest'; there are: reset, snapshot")),
        ("/reset", "[1]", (400, "BadRequest", "the body must be a JSON object with the arguments' names and values")),
        ("/reset", "{", (400, "BadRequest", "the body is no JSON: ")),
        ("/reset", '{"schema": 1}', (400, "BadArgument", "reset: schema is 1, and not boolean")),
        ("/reset", '{"tables": true}', (400, "BadArgument", "reset takes no tables; it takes schema")),
        ("/restore", "", (400, "BadArgument", "restore needs name: the snapshot's name")),
        ("/restore", '{"name": "b"}', (400, "NoSuchSnapshot", "there is no snapshot 'b'; there are: none. ")),
        ("/execute", '{"cql": "SELECT"}', (400, "CqlSyntaxError", "line 0:-1 no viable alternative at input '<EOF>'")),
        ("/execute", '{"cql": " ; "}', (400, "BadArgument", "execute: there is no statement in cql")),
        ("/execute", '{"cql": "x", "paging_state": "x"}', (400, "BadArgument", "execute: paging_state is none that")),
        ("/execute", '{"cql": "x", "page_size": 0}', (400, "BadArgument", "execute: page_size is 0, and less than 1")),
        (
            "/execute",
            '{"cql": "x", "page_size": 1000000}',
            (
                400,
                "BadArgument",
                "execute: page_size is 1000000: an answer has at most 10000 rows; its paging_state gets the next ones",
            ),
        ),
    ],
)
def test_what_can_not_be_done_is_told(server: cqlserver.Server, path: str, body: str, told: tuple[int, str, str]) -> None:
    status, code, message = refused(server, "POST", path, body)
    assert (status, code) == told[:2]
    assert message.startswith(told[2])


def test_of_several_statements_the_wrong_one_is_named(server: cqlserver.Server) -> None:
    cql = json.dumps({"cql": "SELECT key FROM system.local;\n\nSELECT k FROM system.local"})
    assert refused(server, "POST", "/execute", cql) == (
        400,
        "InvalidRequest",
        "line 3: Undefined column name k in table system.local",
    )


def test_other_hosts_names_and_web_pages_are_refused(server: cqlserver.Server) -> None:
    own = f"localhost:{server.control_port}"
    assert refused(server, "POST", "/reset", Host=f"evil.example:{server.control_port}")[:2] == (403, "Forbidden")
    assert refused(server, "POST", "/reset", Origin="http://evil.example")[:2] == (403, "Forbidden")
    assert refused(server, "GET", "/", Host="127.0.0.1")[:2] == (403, "Forbidden")
    assert ask(server, "GET", "/snapshots", Host=own, Origin=f"http://{own}")[0] == 200


def test_what_is_no_http_is_answered_and_closed(server: cqlserver.Server) -> None:
    for data in (b"\x04\x00\x00\x00\x05\x00\x00\x00\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 40_000):
        with socket.create_connection(("127.0.0.1", server.control_port), 10) as sock:
            sock.sendall(data)
            received = b""
            while more := sock.recv(1 << 16):
                received += more
            assert received.startswith(b"HTTP/1.1 4"), received
    assert ask(server, "GET", "/snapshots")[0] == 200


def test_a_body_has_a_greatest_length(server: cqlserver.Server) -> None:
    with socket.create_connection(("127.0.0.1", server.control_port), 10) as sock:
        head = f"POST /reset HTTP/1.1\r\nHost: 127.0.0.1:{server.control_port}\r\n"
        length = f"Content-Length: {BODY_BYTES_MAX + 1}\r\n\r\n"
        sock.sendall((head + length).encode() + b" " * (BODY_BYTES_MAX + 1))
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")


def test_one_connection_carries_many_requests_and_a_stale_one_is_opened_anew(server: cqlserver.Server) -> None:
    client = ControlClient("127.0.0.1", server.control_port)
    for _ in range(3):
        assert client.call("snapshots") == {"snapshots": []}
    assert len(client._idle) == 1
    client._idle[0][1].shutdown(socket.SHUT_RDWR)
    assert client.call("snapshots") == {"snapshots": []}
    with pytest.raises(ControlError) as caught:
        client.call("restore", {"name": "x"})
    assert caught.value.code == "NoSuchSnapshot"
    client.close()


def test_pages_and_values_as_json(server: cqlserver.Server) -> None:
    keyspace = "CREATE KEYSPACE pages WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    server.execute(f"{keyspace}; CREATE TABLE pages.t (k int, c int, d decimal, m map<text, int>, PRIMARY KEY (k, c))")
    server.execute("; ".join(f"INSERT INTO t (k, c) VALUES (0, {c})" for c in range(7)), keyspace="pages")
    server.execute("UPDATE pages.t SET d = 1.10, m = {'a': 1} WHERE k = 0 AND c = 0")
    page = server.call("execute", cql="SELECT c, d, m FROM pages.t", page_size=3)
    assert [column["type"] for column in page["columns"]] == ["int", "decimal", "map<text, int>"]
    assert page["rows"][0] == {"c": 0, "d": 1.10, "m": {"a": 1}}
    rest = server.call("execute", cql="SELECT c FROM pages.t", page_size=9, paging_state=page["paging_state"])
    assert [row["c"] for row in rest["rows"]] == [3, 4, 5, 6]
    assert rest["paging_state"] is None


def test_the_openapi_document_tells_of_every_operation(server: cqlserver.Server) -> None:
    document = json.loads(ask(server, "GET", "/openapi.json")[1])
    assert document["servers"] == [{"url": f"http://127.0.0.1:{server.control_port}"}]
    for operation in OPERATIONS:
        post = document["paths"][f"/{operation.name}"]["post"]
        assert post["summary"] == operation.summary
        assert ("get" in document["paths"][f"/{operation.name}"]) == operation.reads
        if operation.arguments:
            schema = post["requestBody"]["content"]["application/json"]["schema"]
            assert set(schema["properties"]) == {argument.name for argument in operation.arguments}
    overview = ask(server, "GET", "/")[1]
    assert all(f"  {operation.name} " in overview for operation in OPERATIONS)


def test_python_has_a_method_for_every_operation() -> None:
    for operation in [operation for operation in OPERATIONS if operation not in NODETOOLS]:
        assert callable(getattr(cqlserver.Server, operation.name)), operation.name
