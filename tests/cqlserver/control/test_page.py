"""The page that browsers get, and what requests of it may do."""

from collections.abc import Iterator

import pytest

import cqlserver
from tests.cqlserver.control.test_http import ask, refused

pytestmark = pytest.mark.slow

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.t (k int PRIMARY KEY)"
)
INSERT = '{"cql": "INSERT INTO ks.t (k) VALUES (1)"}'
PAGE_BYTES_MAX = 100_000


@pytest.fixture(scope="module", params=[False, True])
def server(request: pytest.FixtureRequest) -> Iterator[cqlserver.Server]:
    with cqlserver.start(control_writes=request.param) as server:
        server.execute(SCHEMA)
        server.is_writable = request.param  # type: ignore[attr-defined]
        yield server


def test_browsers_get_the_page_and_others_the_list(server: cqlserver.Server) -> None:
    status, text = ask(server, "GET", "/", Accept="text/html,application/xhtml+xml")
    assert (status, text[:15]) == (200, "<!doctype html>")
    assert len(text.encode()) < PAGE_BYTES_MAX
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")  # nothing from elsewhere
    assert ask(server, "GET", "/")[1].startswith("Operations of cqlserver's control port")


def test_a_page_reads_and_changes_what_it_may(server: cqlserver.Server) -> None:
    origin = {"Origin": f"http://127.0.0.1:{server.control_port}"}
    assert ask(server, "POST", "/execute", '{"cql": "SELECT k FROM ks.t; DESCRIBE TABLES"}', **origin)[0] == 200
    assert refused(server, "POST", "/execute", '{"cql": "SELEC"}', **origin)[1] == "CqlSyntaxError"
    for operation, body in (
        ("/execute", INSERT),
        ("/execute", '{"cql": "SELECT k FROM ks.t; TRUNCATE ks.t"}'),
        ("/reset", "{}"),
    ):
        for headers in (origin, {"Sec-Fetch-Site": "same-origin"}):
            if server.is_writable:  # type: ignore[attr-defined]
                assert ask(server, "POST", operation, body, **headers)[0] == 200
            else:
                status, code, message = refused(server, "POST", operation, body, **headers)
                assert (status, code) == (400, "OnlyReads")
                assert "--control-writes" in message
    assert ask(server, "POST", "/execute", INSERT)[0] == 200  # no page
    assert refused(server, "POST", "/execute", INSERT, Origin="http://example.org")[0] == 403
